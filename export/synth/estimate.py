"""`python -m export.synth.estimate NETLIST`: slowest paths of an ECP5 netlist, before placement.

Place and route tells one critical path after minutes; this tells the slowest path between every
two modules in seconds. A hop costs a fixed time, so the figures rank paths; the clock is nextpnr's.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs import cli
from configs.cli import UserError
from export.synth import netlist

ROUTE = 0.85  # ns from cell to cell, a usual one
LOGIC = {"LUT4": 0.24, "PFUMX": 0.2, "L6MUX21": 0.2, "CCU2C": 0.45, "TRELLIS_DPR16X4": 0.5}
CARRY = 0.07  # from cell to cell along a carry chain, without routing
DIRECT = {"PFUMX": ("ALUT", "BLUT"), "L6MUX21": ("D0", "D1")}  # ports beside their driver
REGISTER, BLOCK, UNREGISTERED_BLOCK, MULTIPLIER = 0.52, 0.6, 5.7, 0.6  # ns from the clock


@dataclass(frozen=True)
class SlowPath:
    """A path from register to register: nanoseconds, cells, modules at its ends."""

    delay: float
    cells: list[str]
    start: str
    end: str


class Netlist:
    """Arrival times at the nets of a flat module."""

    def __init__(self, module: dict[str, Any]) -> None:
        self.cells = module["cells"]
        self.known = netlist.scopes(module)
        self.driver: dict[int, str] = {}
        for name, cell in self.cells.items():
            for port, bits in cell["connections"].items():
                if cell["port_directions"].get(port) == "output":
                    self.driver |= {bit: name for bit in bits if isinstance(bit, int)}
        self.arrivals: dict[int, tuple[float, int | None]] = {}

    def inputs(self, name: str) -> Iterator[tuple[str, int]]:
        cell = self.cells[name]
        for port, bits in cell["connections"].items():
            if cell["port_directions"].get(port) == "input":
                yield from ((port, bit) for bit in bits if isinstance(bit, int))

    def _source(self, cell: dict[str, Any]) -> float:
        """From the clock to the output of a cell that begins paths."""
        if cell["type"] == "DP16KD":
            folded = "OUTREG" in (cell["parameters"].get(f"REGMODE_{side}") for side in "AB")
            return BLOCK if folded else UNREGISTERED_BLOCK
        return {"TRELLIS_FF": REGISTER, "MULT18X18D": MULTIPLIER}.get(cell["type"], 0.0)

    def _through(self, name: str) -> list[tuple[int, float]]:
        """Nets that the output of a logic cell follows, and what the way from each costs."""
        kind, result = self.cells[name]["type"], []
        for port, bit in self.inputs(name):
            if kind == "TRELLIS_DPR16X4" and not port.startswith("RAD"):
                continue
            direct = port in DIRECT.get(kind, ())
            cost = CARRY if port == "CIN" else LOGIC[kind] + (0.0 if direct else ROUTE)
            result.append((bit, cost))
        return result

    def arrival(self, net: int) -> float:
        """Time at which `net` is valid; without recursion, since carry chains are long."""
        waiting, opened = [net], set[int]()
        while waiting:
            at = waiting[-1]
            name = self.driver.get(at)
            if at in self.arrivals:
                waiting.pop()
            elif name is None or self.cells[name]["type"] not in LOGIC:
                start = 0.0 if name is None else self._source(self.cells[name])
                self.arrivals[at] = start, None
            else:
                ways = self._through(name)
                if at not in opened:  # again afterwards; what is missing then is a loop, and is cut
                    opened.add(at)
                    waiting += [bit for bit, _ in ways if bit not in self.arrivals]
                    continue
                times = [(self.arrivals.get(b, (0.0, None))[0] + cost, b) for b, cost in ways]
                self.arrivals[at] = max(times, default=(0.0, None))
        return self.arrivals[net][0]

    def ends(self) -> Iterator[tuple[str, int]]:
        """Cells and nets at which paths end."""
        for name, cell in self.cells.items():
            if cell["type"] in LOGIC and cell["type"] != "TRELLIS_DPR16X4":
                continue
            for port, net in self.inputs(name):
                if cell["type"] != "TRELLIS_DPR16X4" or not port.startswith("RAD"):
                    yield name, net

    def slowest(self, count: int) -> list[SlowPath]:
        """The slowest path between every two modules, slowest first."""
        found: dict[tuple[str, str], SlowPath] = {}
        ranked = sorted(
            ((self.arrival(n) + ROUTE, name, n) for name, n in self.ends()), reverse=True
        )
        for delay, name, net in ranked:
            cells, at = [name], net
            while (driver := self.driver.get(at)) is not None:
                cells.append(driver)
                previous = self.arrivals[at][1]
                if previous is None:
                    break
                at = previous
            start, end = (netlist.owner(cell, self.known) for cell in (cells[-1], name))
            found.setdefault((start, end), SlowPath(round(delay, 2), cells[::-1], start, end))
            if len(found) == count:
                break
        return list(found.values())


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m export.synth.estimate",
        description="Rank the paths of build/<config>/synth/<board>/netlist.json.",
    )
    parser.add_argument("netlist", type=Path)
    parser.add_argument("--paths", type=int, default=20, help="how many (20)")
    args = parser.parse_args()
    if not args.netlist.is_file():
        raise UserError(f"no file '{args.netlist}': run 'make synth' first")
    for path in Netlist(netlist.top(netlist.load(args.netlist))).slowest(args.paths):
        print(f"{path.delay:6.2f} ns {len(path.cells):3d} cells  {path.start}  ->  {path.end}")


if __name__ == "__main__":
    cli.run(main)
