"""Where the netlist of every module with state is run: `python -m tests.rtl.gate_table` prints it.

A module's own bench runs on its netlist with the first parameters of the module's own test.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path

from sim import gates

TESTS = Path(__file__).parent
SHARED = ("test_board_modules", "test_soc")  # files that test several modules
QUICK = ("controller", "framer", "kv_writer", "scoreboard")  # in the default tier
INSTANCE = re.compile(r"^\s+(\w+) (?:#\(|u_\w+ \()", re.MULTILINE)


def with_state() -> list[str]:
    """Modules of hdl/ that have a register, or an instance of one that has."""
    texts = {path.stem: path.read_text() for path in sorted(gates.HDL.rglob("*.sv"))}
    found = {name for name, text in texts.items() if re.search(r"\balways_ff\b", text)}
    while more := {n for n in texts.keys() - found if found & set(INSTANCE.findall(texts[n]))}:
        found |= more
    return sorted(found)


def benches() -> dict[str, dict[str, int]]:
    """Every module with state that has a test and a bench, and the parameters of its netlist."""
    sets: dict[str, dict[str, int]] = {}
    for name in SHARED:
        shared = importlib.import_module(f"tests.rtl.{name}").SETS
        sets |= {module: values[0] for module, values in shared.items()}
    for path in sorted(TESTS.glob("test_*.py")):
        module = path.stem.removeprefix("test_")
        if path.stem not in SHARED and list(gates.HDL.glob(f"*/{module}.sv")):
            sets[module] = importlib.import_module(f"tests.rtl.{path.stem}").SETS[0]
    return {module: sets[module] for module in with_state() if module in sets}


def table() -> list[str]:
    """A line for every module with state."""
    run = benches()
    lines = []
    for module in with_state():
        values = " ".join(f"{name}={value}" for name, value in run.get(module, {}).items())
        where = f"sim/tb_{module}.py" if module in run else "nowhere"
        tier = "default" if module in QUICK else "slow"
        lines.append(f"{module:<17}{where:<27}{tier:<9}{values}".rstrip())
    return lines


if __name__ == "__main__":
    print(*table(), sep="\n")
