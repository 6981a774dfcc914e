"""Memories that do not define what is read while it is written (`no_rw_check`): nobody uses it.

The machine is simulated with memories that answer a word inverted that is written in the same
cycle, and every element is compared. The checker fails when they invert while any word is written.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from sim import core
from sim.requests import Request
from tests.rtl import machines
from tests.rtl.test_core_shapes import QUICK, Case, explain

pytestmark = pytest.mark.rtl

HDL = Path(__file__).resolve().parents[2] / "hdl"
WRITTEN = "no_rw_check"
# module: its read, when it writes, where, and what it answers then
READS = {
    "operand_bank": (
        "read_q <= mem[raddr_word_i];",
        "we_i && (group_hit ? wlane_en_i[s] : clear)",
        "waddr_word_i == raddr_word_i",
        "read_q <= ~mem[raddr_word_i];",
    ),
    "kv_bank": (
        "read_q  <= mem[raddr_i];",
        "we_q != '0",
        "waddr_q == raddr_i",
        "read_q <= ~mem[raddr_i];",
    ),
    "residual_mem": (
        "rdata_q <= mem[rtile_i];",
        "we_i",
        "wtile_i == rtile_i",
        "rdata_q <= ~mem[rtile_i];",
    ),
    "noise_bank": (
        "value_q <= values[raddr_i];",
        "write && lane_q[lane]",
        "waddr_i == raddr_i",
        "value_q <= ~values[raddr_i];",
    ),
}
SQUARE = next(case for case in QUICK if case.name == "square")
SMALL = Case("two", 2, 2, 7, {"norm": "rmsnorm", "activation": "relu", "d_model": 8, "d_ff": 12})


def outcome(case: Case, streams: int, folder: Path, *, anywhere: str | None = None) -> core.Outcome:
    """A run with inverting memories; `anywhere`: the module that inverts whatever is written."""
    settings = machines.config(case.name, case.model, case.rows, case.cols, case.quant, streams)
    machine = machines.machine(settings, case.vocab, folder)
    for module, (read, writes, same, answer) in READS.items():
        when = writes if module == anywhere else f"{writes} && {same}"
        path = machine.rtl / f"{module}.sv"
        machines.edit(path, read, f"{read}\n      if ({when}) {answer}")
    warm = machine.qm.temperature_register(0.9)
    requests = [
        Request((1, 2, 3), max_tokens=5, temperature=warm, seed=stream, stream=stream)
        for stream in range(streams)
    ]
    return core.simulate(machine, requests, simulator="icarus", out=folder / "sim")


def test_the_list_is_whole() -> None:
    assert {path.stem for path in HDL.rglob("*.sv") if WRITTEN in path.read_text()} == set(READS)


@pytest.mark.parametrize(
    ("case", "streams"), [(SMALL, 1), (SQUARE, 1), (SQUARE, 4)], ids=lambda p: getattr(p, "name", p)
)
def test_no_word_is_used_while_it_is_written(case: Case, streams: int, sim_build: Path) -> None:
    folder = sim_build / "core" / f"collisions-{case.name}-{streams}"
    found = outcome(case, streams, folder)
    assert found.passed, explain(found)


@pytest.mark.parametrize("module", ["operand_bank", "kv_bank"])
def test_a_word_that_is_used_is_seen(module: str, sim_build: Path) -> None:
    folder = sim_build / "core" / f"collisions-seen-{module}"
    assert not outcome(SMALL, 1, folder, anywhere=module).passed
