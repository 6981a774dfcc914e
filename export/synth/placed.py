"""A placed netlist of ECP5 as nextpnr writes it: who drives and reads each net, where cells lie,
and estimates of times.

Tables are cells TRELLIS_COMB, registers TRELLIS_FF, each with its place in the attribute
NEXTPNR_BEL. Times are in ns, from the distance in tiles.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

Pin = tuple[str, str]  # cell, port
Point = tuple[float, float]  # column and row of the device

REGISTER, TABLE, RAM_WRITE = "TRELLIS_FF", "TRELLIS_COMB", "TRELLIS_RAMW"
PLACE = re.compile(r"X(\d+)/Y(\d+)/(?:SLICE(\w)\.)?(\w+)")
OF_ALL = ("A", "B", "C", "D", "FCI")  # inputs that all outputs of a table depend on
OF_MUX = ("M", "F1", "FXA", "FXB")  # and those of its output OFX alone
NEIGHBOUR = ("FCI", "FXA", "FXB", "F1", "DI")  # wired to the neighbour in the slice
CLOCKS = re.compile(r"W?CLK[AB0-3]?|WCK")
STEP, TILE = 0.45, 0.085  # a way of no tile, and each tile of it
LOOK_UP, CARRY, INTO_CARRY = 0.24, 0.05, 0.45
LAUNCH = {REGISTER: 0.5, "MULT18X18D": 1.0}
BLOCK_REGISTERED, BLOCK = 1.0, 5.7


def position(bel: str) -> Point:
    """Column and row of a place."""
    match = PLACE.match(bel)
    assert match is not None
    return float(match[1]), float(match[2])


def way(begin: Point, end: Point, port: str = "") -> float:
    """Time of a wire."""
    if port in NEIGHBOUR:
        return 0.0
    return STEP + TILE * (abs(begin[0] - end[0]) + abs(begin[1] - end[1]))


class Placed:
    """A placed module: who drives and reads each net, where cells lie, and times."""

    def __init__(self, module: dict[str, Any]) -> None:
        self.cells: dict[str, dict[str, Any]] = module["cells"]
        self.netnames = module["netnames"]
        self.names: dict[int, list[str]] = {}  # of nets of one bit
        for name, entry in self.netnames.items():
            if len(entry["bits"]) == 1:
                self.names.setdefault(entry["bits"][0], []).append(name)
        self.at: dict[str, Point] = {}
        self.driver: dict[int, str] = {}
        self.readers: dict[int, list[Pin]] = {}
        for name, cell in self.cells.items():
            if "NEXTPNR_BEL" not in cell["attributes"]:
                raise ValueError(f"{name} has no place")
            self.at[name] = position(cell["attributes"]["NEXTPNR_BEL"])
            constant = name.startswith("$PACKER")
            for port, bits in cell["connections"].items():
                if not bits or not isinstance(bits[0], int) or CLOCKS.fullmatch(port):
                    continue
                if cell["port_directions"][port] == "input":
                    self.readers.setdefault(bits[0], []).append((name, port))
                elif not constant:
                    self.driver[bits[0]] = name
        self.next_net = 1 + max((*self.driver, *self.readers))
        self.order: list[int] = []  # nets of tables, each after those that it depends on
        self.arrival: dict[int, float] = {}  # at the driver's output
        self.tail: dict[int, float] = {}  # from the driver's output to the slowest end

    def net(self, name: str, port: str) -> int | None:
        """The net at a port, if it is driven by a cell."""
        bits = self.cells[name]["connections"].get(port)
        return bits[0] if bits and isinstance(bits[0], int) and bits[0] in self.driver else None

    def inputs(self, output: int) -> Iterator[tuple[int, str]]:
        """Nets and ports of a table that the net at one of its outputs depends on."""
        table = self.driver[output]
        is_mux = self.cells[table]["connections"].get("OFX") == [output]
        for port in OF_ALL + OF_MUX if is_mux else OF_ALL:
            net = self.net(table, port)
            if net is not None:
                yield net, port

    def _in_order(self) -> list[int]:
        """Nets of tables, each after those that it depends on."""
        result: list[int] = []
        seen: set[int] = set()
        for first, name in self.driver.items():
            if first in seen or self.cells[name]["type"] != TABLE:
                continue
            seen.add(first)
            path = [(first, self.inputs(first))]
            while path:
                net, before = path[-1]
                for source, _ in before:
                    if source not in seen and self.cells[self.driver[source]]["type"] == TABLE:
                        seen.add(source)
                        path.append((source, self.inputs(source)))
                        break
                else:
                    result.append(net)
                    path.pop()
        return result

    def launch(self, name: str) -> float:
        """From the clock to the output of a cell that is no table."""
        cell = self.cells[name]
        if cell["type"] == "DP16KD":
            registered = "OUTREG" in (cell["parameters"].get(f"REGMODE_{p}") for p in "AB")
            return BLOCK_REGISTERED if registered else BLOCK
        return LAUNCH.get(cell["type"], 0.0)

    def through(self, table: str, port: str) -> float:
        """From an input of a table to its outputs."""
        if port == "FCI":
            return CARRY
        return INTO_CARRY if self.cells[table]["parameters"].get("MODE") == "CCU2" else LOOK_UP

    def time(self) -> None:
        """Arrivals and tails of all nets."""
        self.order = self._in_order()
        self.arrival = {
            net: self.launch(name)
            for net, name in self.driver.items()
            if self.cells[name]["type"] != TABLE
        }
        for net in self.order:
            name = self.driver[net]
            self.arrival[net] = max(
                (self.at_pin(n, (name, p)) + self.through(name, p) for n, p in self.inputs(net)),
                default=0.0,
            )
        self.tail = {}
        begins = [net for net in self.driver if self.cells[self.driver[net]]["type"] != TABLE]
        for net in [*reversed(self.order), *begins]:
            spot = self.at[self.driver[net]]
            pins = self.readers.get(net, ())
            self.tail[net] = max((self.after(spot, pin) for pin in pins), default=0.0)

    def at_pin(self, net: int, pin: Pin) -> float:
        """Arrival at a reader."""
        return self.arrival[net] + way(self.at[self.driver[net]], self.at[pin[0]], pin[1])

    def after(self, spot: Point, pin: Pin) -> float:
        """From a driver at `spot` through a reader to the slowest end behind it."""
        name, port = pin
        cell = self.cells[name]
        if cell["type"] == "TRELLIS_IO":  # of the device: no clock waits for it
            return 0.0
        beyond = 0.0
        if cell["type"] == TABLE and port in OF_ALL + OF_MUX:
            outputs = ("F", "FCO", "OFX") if port in OF_ALL else ("OFX",)
            nets = [net for output in outputs for net in cell["connections"].get(output) or ()]
            beyond = self.through(name, port)
            beyond += max((self.tail.get(net, 0.0) for net in nets), default=0.0)
        return way(spot, self.at[name], port) + beyond

    def slowest(self) -> float:
        """The longest way of all, by the estimate."""
        return max(
            self.arrival[net] + self.tail[net]
            for net, name in self.driver.items()
            if self.cells[name]["type"] != TABLE
        )
