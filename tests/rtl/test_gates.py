"""Gate level: every module with state, and a whole machine, as netlists under their own benches."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from sim import core, gates, runner
from sim.requests import Request
from tests.rtl import gate_table, machines

pytestmark = pytest.mark.rtl

SETS = gate_table.benches()


def test_every_module_with_state_has_a_netlist_that_is_run() -> None:
    assert gate_table.with_state() == list(SETS)
    assert {"deframer", "scheduler", "axil_slave"} <= set(SETS)
    assert not {"crc32", "resize", "axis_demux"} & set(SETS)


def test_a_new_module_with_state_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wires.sv").write_text("module wires (input wire a_i);\nendmodule\n")
    (tmp_path / "around.sv").write_text("module around;\n  inner #(\n  ) u_inner ();\nendmodule\n")
    (tmp_path / "inner.sv").write_text("module inner;\n  always_ff @(posedge clk_i) q <= d;\n")
    monkeypatch.setattr(gates, "HDL", tmp_path)
    assert gate_table.with_state() == ["around", "inner"]
    assert gate_table.benches() == {}
    assert all("nowhere" in line for line in gate_table.table())


@pytest.mark.parametrize(
    "module",
    [pytest.param(m, marks=[] if m in gate_table.QUICK else [pytest.mark.slow]) for m in SETS],
)
def test_netlist_of_a_module_does_what_the_module_does(module: str, sim_build: Path) -> None:
    folder = sim_build / "gates" / module
    files = gates.netlist(module, gates.static_modules(), folder, SETS[module])
    gates.simulate(module, "icarus", folder, SETS[module], files)


def test_a_flipped_lut_is_seen(sim_build: Path) -> None:
    folder = sim_build / "gates" / "flipped"
    files = gates.netlist("scoreboard", gates.static_modules(), folder, SETS["scoreboard"])
    text = files[-1].read_text()
    tables = list(re.finditer(r"\.INIT\(16'h([0-9a-f]+)\)", text))
    assert len(tables) > 20
    place = tables[len(tables) // 2]
    wrong = f"{int(place[1], 16) ^ 0xFFFF:04x}"
    files[-1].write_text(text[: place.start(1)] + wrong + text[place.end(1) :])
    with pytest.raises(runner.SimulationError, match="mismatches"):
        gates.simulate("scoreboard", "icarus", folder, SETS["scoreboard"], files)


def netlist_machine(sim_build: Path, streams: int) -> core.Machine:
    """A small decoder whose core is a netlist."""
    small = {"d_model": 8, "n_heads": 2, "d_ff": 8, "context": 4, "norm": "rmsnorm"}
    settings = machines.config("gates", small, 2, 2, streams=streams)
    machine = machines.machine(settings, 5, sim_build / "gates" / f"core{streams}")
    names = (machine.rtl / "files.f").read_text().split()
    sources = [machine.rtl / name for name in names if name != "mul.sv"]
    files = gates.netlist("core", [*sources, gates.MULTIPLIER], machine.rtl)
    (machine.rtl / "files.f").write_text("\n".join(str(path) for path in files) + "\n")
    return machine


@pytest.mark.parametrize("streams", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_netlist_of_a_whole_machine_writes_what_the_golden_model_writes(
    streams: int, sim_build: Path
) -> None:
    machine = netlist_machine(sim_build, streams)
    kinds = json.loads((machine.rtl / "netlist.json").read_text())["modules"]["core"]["cells"]
    assert {"MULT18X18D", "DP16KD", "TRELLIS_FF"} <= {cell["type"] for cell in kinds.values()}
    warm = machine.qm.temperature_register(0.9)
    requests = [
        request
        for stream in range(streams)
        for request in (
            Request((1, 2), max_tokens=1, stream=stream),
            Request((3,), temperature=warm, seed=5 + stream, max_tokens=2, stream=stream),
        )
    ]
    where = sim_build / "gates" / f"run{streams}"
    outcome = core.simulate(machine, requests, simulator="icarus", out=where)
    assert outcome.passed, outcome.problem or outcome.mismatches
