"""Yosys' JSON netlist: what it counts, which module a cell lies in, registers of block RAM.

Yosys leaves the register behind a block RAM in logic, where the way out of the block costs more
than half of a cycle. `fold_output_registers` moves it into the block, which has one.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Cell = dict[str, Any]
OUTPUT = re.compile(r"DO([AB])\d+")


def load(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def top(netlist: dict[str, Any]) -> dict[str, Any]:
    """The flattened top module."""
    for module in netlist["modules"].values():
        if int(str(module["attributes"].get("top", "0")), 2):
            return module
    raise ValueError("the netlist has no top module")


def cells(module: dict[str, Any]) -> Counter[str]:
    """Cells of each type."""
    types = (cell["type"] for cell in module["cells"].values())
    return Counter(kind for kind in types if not kind.startswith("$"))


def scopes(module: dict[str, Any]) -> dict[str, str]:
    """Name of the module at each instance path of the hierarchy that was flattened."""
    result = {}
    for name, cell in module["cells"].items():
        if cell["type"] == "$scopeinfo":
            attributes = cell["attributes"]
            full = attributes.get("module_hdlname") or attributes.get("module", "")
            result[name] = full.rsplit("\\", 1)[-1]
    return result


def owner(path: str, known: dict[str, str]) -> str:
    """The modules from the top down to a cell or net, `core / array / systolic_row / pe`."""
    parts, names = path.split("."), []
    for end in range(1, len(parts)):
        module = known.get(".".join(parts[:end]))
        if module is not None:
            names.append(module)
    return " / ".join(names) or "top"


def _plain_register(cell: Cell, clock: Any) -> bool:
    """A flip-flop without enable and reset, of the same clock."""
    wires = cell["connections"]
    if cell["type"] != "TRELLIS_FF" or cell["parameters"].get("CLKMUX") != "CLK":
        return False
    enable, reset = wires.get("CE") or ["1"], wires.get("LSR") or ["0"]
    always = cell["parameters"].get("CEMUX", "1").strip() == "1" or enable == ["1"]
    return always and reset in (["0"], ["x"]) and wires["CLK"] == clock


def _ports(cell: Cell) -> Iterator[tuple[str, list[str]]]:
    """Read ports of a block: a clock, and the outputs that belong to it."""
    by_port: dict[str, list[str]] = {"A": [], "B": []}
    for name, bits in cell["connections"].items():
        if (match := OUTPUT.fullmatch(name)) and bits and not isinstance(bits[0], str):
            by_port[match[1]].append(name)
    if int(cell["parameters"]["DATA_WIDTH_A"], 2) == 36:  # pseudo dual port: A writes, B reads
        yield "AB", by_port["A"] + by_port["B"]
    else:
        yield from by_port.items()


def fold_output_registers(module: dict[str, Any]) -> int:
    """Let block RAMs of ECP5 register their own outputs where every reader is a plain register.

    Changes `module` in place; returns how many flip-flops it saved.
    """
    readers: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for name, cell in module["cells"].items():
        for port, bits in cell["connections"].items():
            if cell["port_directions"].get(port) == "input":
                for bit in bits:
                    if not isinstance(bit, str):
                        readers[bit].append((name, port))
    outside = {bit for port in module["ports"].values() for bit in port["bits"]}
    folded = 0
    for cell in list(module["cells"].values()):
        if cell["type"] != "DP16KD":
            continue
        for port, outputs in _ports(cell):
            used = [name for name in outputs if readers[cell["connections"][name][0]]]
            clock = cell["connections"]["CLK" + port[-1]]
            registers = {}
            for name in used:
                bit = cell["connections"][name][0]
                ends = readers[bit]
                one = len(ends) == 1 and ends[0][1] == "DI" and bit not in outside
                if not one or not _plain_register(module["cells"][ends[0][0]], clock):
                    break
                registers[name] = ends[0][0]
            wires = cell["connections"]
            rom = wires.get("CEA") == ["0"]  # of 36 bits: the clock of its other half is free
            one_clock = port != "AB" or wires["CLKA"] == clock or rom
            if not used or len(registers) < len(used) or not one_clock:
                continue
            if port == "AB":
                wires["CLKA"] = clock
            for name, register in registers.items():
                cell["connections"][name] = module["cells"].pop(register)["connections"]["Q"]
            for name in outputs:  # unread outputs drive nothing
                if name not in registers:
                    cell["connections"][name] = []
            for side in port:
                cell["connections"][f"OCE{side}"] = ["1"]
                cell["parameters"][f"REGMODE_{side}"] = "OUTREG"
            folded += len(registers)
    return folded
