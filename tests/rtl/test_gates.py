"""Gate level: every module with state, and a whole machine, as netlists under their own benches."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path

import pytest

from sim import core, gates, runner
from sim.requests import Request
from tests.rtl import machines

pytestmark = pytest.mark.rtl

TESTS = Path(__file__).parent
# Without state: nothing that a netlist could lose over time; the others with a file test_<module>.
STATELESS = (
    "lowest_set next_in_turn resize saturate saturating_add scale_index select_word sign_extend"
).split()
QUICK = ("controller", "kv_writer", "scoreboard")


def sets() -> dict[str, dict[str, int]]:
    """Every module with a test file of its own, and the first parameters of that."""
    found: dict[str, dict[str, int]] = {}
    for path in sorted(TESTS.glob("test_*.py")):
        module = path.stem.removeprefix("test_")
        if module in STATELESS or not list(gates.HDL.glob(f"*/{module}.sv")):
            continue
        found[module] = importlib.import_module(f"tests.rtl.test_{module}").SETS[0]
    return found


SETS = sets()


@pytest.mark.parametrize(
    "module",
    [pytest.param(m, marks=[] if m in QUICK else [pytest.mark.slow]) for m in SETS],
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


def netlist_machine(sim_build: Path) -> core.Machine:
    """A small decoder whose core is a netlist."""
    small = {"d_model": 8, "n_heads": 2, "d_ff": 8, "context": 4, "norm": "rmsnorm"}
    settings = machines.config("gates", small, 2, 2)
    machine = machines.machine(settings, 5, sim_build / "gates" / "core")
    names = (machine.rtl / "files.f").read_text().split()
    sources = [machine.rtl / name for name in names if name != "mul.sv"]
    files = gates.netlist("core", [*sources, gates.MULTIPLIER], machine.rtl)
    (machine.rtl / "files.f").write_text("\n".join(str(path) for path in files) + "\n")
    return machine


def test_netlist_of_a_whole_machine_writes_what_the_golden_model_writes(sim_build: Path) -> None:
    machine = netlist_machine(sim_build)
    kinds = json.loads((machine.rtl / "netlist.json").read_text())["modules"]["core"]["cells"]
    assert {"MULT18X18D", "DP16KD", "TRELLIS_FF"} <= {cell["type"] for cell in kinds.values()}
    requests = [
        Request((1, 2), max_tokens=1),
        Request((3,), temperature=machine.qm.temperature_register(0.9), seed=5, max_tokens=2),
    ]
    outcome = core.simulate(machine, requests, simulator="icarus", out=sim_build / "gates" / "run")
    assert outcome.passed, outcome.problem or outcome.mismatches
