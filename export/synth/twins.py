"""Registers of a placed design whose ways are too long get a twin nearer to what they feed.

A placer that looks for short nets has no reason to put a register into the middle of a long way,
and a register that is read all over the device has no good place at all. A twin is fed by the same
and does the same, so this changes neither a bit nor a cycle. It is put into a free place of the
device, and nothing that is placed moves.

Works on the netlist that nextpnr writes after placement for ECP5: tables (TRELLIS_COMB) and
registers (TRELLIS_FF) with the place of each in its attribute NEXTPNR_BEL. Times are estimates in
ns, from the distance in tiles.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Pin = tuple[str, str]  # cell, port
Point = tuple[float, float]  # column and row of the device
Control = tuple[Any, ...]  # clock, set or reset, enable, and how they are used

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
REACH = 24.0  # columns or rows that one twin feeds
GAIN = 0.3  # ns: a twin for less is not worth its place
MARK = "$twin"  # in a twin's name, behind that of the register
SHARE = 0.65  # of a period: ways shorter than this are left
SWEEPS = 8
NEARBY = 2000  # places that are tried for a twin
PARTS = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0)  # of the way from what feeds it


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
        self.order = self._in_order()
        self.arrival: dict[int, float] = {}  # at the driver's output
        self.tail: dict[int, float] = {}  # from the driver's output to the slowest end

    def net(self, name: str, port: str) -> int | None:
        """The net at a port, if it is driven by a cell."""
        bits = self.cells[name]["connections"].get(port)
        return bits[0] if bits and isinstance(bits[0], int) and bits[0] in self.driver else None

    def _inputs(self, output: int) -> Iterator[tuple[int, str]]:
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
            path = [(first, self._inputs(first))]
            while path:
                net, before = path[-1]
                for source, _ in before:
                    if source not in seen and self.cells[self.driver[source]]["type"] == TABLE:
                        seen.add(source)
                        path.append((source, self._inputs(source)))
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
        self.arrival = {
            net: self.launch(name)
            for net, name in self.driver.items()
            if self.cells[name]["type"] != TABLE
        }
        for net in self.order:
            name = self.driver[net]
            self.arrival[net] = max(
                (self.at_pin(n, (name, p)) + self.through(name, p) for n, p in self._inputs(net)),
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


def control(cell: Mapping[str, Any]) -> Control:
    """What registers in one slice must share."""
    wires = cell["connections"]
    nets = [(wires.get(port) or [None])[0] for port in ("CLK", "LSR", "CE")]
    modes = ("CLKMUX", "LSRMUX", "CEMUX", "SRMODE", "GSR")
    return *(net if isinstance(net, int) else None for net in nets), *(
        cell["parameters"].get(mode, "") for mode in modes
    )


class Slots:
    """Free places for registers."""

    def __init__(self, cells: Mapping[str, Any]) -> None:
        self.taken: dict[tuple[int, int], dict[tuple[str, str], Control]] = {}
        closed: set[tuple[int, int, str, str]] = set()
        tiles: set[tuple[int, int]] = set()
        for cell in cells.values():
            match = PLACE.match(cell["attributes"]["NEXTPNR_BEL"])
            if match is None or match[3] is None:
                continue
            tile, part, bel = (int(match[1]), int(match[2])), match[3], match[4]
            tiles.add(tile)
            registers = self.taken.setdefault(tile, {})
            if cell["type"] == REGISTER:
                registers[part, bel] = control(cell)
            elif cell["type"] == RAM_WRITE or cell["parameters"].get("MODE") == "DPRAM":
                closed |= {(*tile, part, which) for which in ("FF0", "FF1")}
            elif cell["connections"].get("M"):  # the way into a register from outside the slice
                closed.add((*tile, part, bel.replace("K", "FF")))
        self.free = [
            (*tile, part, bel)
            for tile in sorted(tiles)
            for part in "ABCD"
            for bel in ("FF0", "FF1")
            if (part, bel) not in self.taken[tile] and (*tile, part, bel) not in closed
        ]
        self.points = np.array([place[:2] for place in self.free], float).reshape(-1, 2)
        self.open = np.ones(len(self.free), bool)

    def find(self, wanted: Point, needs: Control) -> int | None:
        """Number of the nearest place that suits a register with these controls: one set or reset
        and one enable in a tile at most, beside none."""
        distance = np.abs(self.points - np.array(wanted)).sum(axis=1)
        distance[~self.open] = np.inf
        count = min(NEARBY, len(distance) - 1)
        near = np.argpartition(distance, count)[:count]
        for index in near[np.argsort(distance[near], kind="stable")]:
            if not self.open[index]:
                return None
            column, row, part, _ = self.free[index]
            here = self.taken[column, row]
            beside = [value for place, value in here.items() if place[0] == part]
            resets = {value[1] for value in here.values()} | {needs[1], None}
            enables = {value[2] for value in here.values()} | {needs[2], None}
            if all(v == needs for v in beside) and len(resets) <= 2 and len(enables) <= 2:
                return int(index)
        return None

    def take(self, index: int, needs: Control) -> str:
        """Its name; it is free no more."""
        column, row, part, bel = self.free[index]
        self.open[index] = False
        self.taken[column, row][part, bel] = needs
        return f"X{column}/Y{row}/SLICE{part}.{bel}"


def regions(pins: list[Pin], at: Mapping[str, Point]) -> list[list[Pin]]:
    """Readers by parts of the device."""
    waiting, result = [pins], []
    while waiting:
        group = waiting.pop()
        spots = np.array([at[name] for name, _ in group])
        extent = np.ptp(spots, axis=0)
        axis = int(extent[1] > extent[0])
        if extent[axis] <= REACH:
            result.append(group)
            continue
        low = spots[:, axis] <= (spots[:, axis].min() + spots[:, axis].max()) / 2
        waiting.append([pin for pin, near in zip(group, low, strict=True) if near])
        waiting.append([pin for pin, near in zip(group, low, strict=True) if not near])
    return result


class Twins:
    """Makes twins, worst ways first, until none is worth it."""

    def __init__(self, module: dict[str, Any]) -> None:
        self.placed = Placed(module)
        self.slots = Slots(self.placed.cells)
        self.outside = {bit for port in module["ports"].values() for bit in port["bits"]}
        self.count = 0

    def sweep(self, limit: float) -> int:
        """Every register with a way longer than `limit` once; how many twins were made."""
        placed, before = self.placed, self.count
        placed.time()
        slow = []
        for net, name in placed.driver.items():
            if placed.cells[name]["type"] == REGISTER:
                worst = max(placed.arrival[net] + placed.tail[net], self._until(name))
                if worst > limit:
                    slow.append((worst, net, name))
        for _, net, name in sorted(slow, reverse=True):
            self._relieve(net, name, limit)
        return self.count - before

    def _feeds(self, name: str) -> list[int]:
        """Nets that a twin must be reached by."""
        nets = [self.placed.net(name, port) for port in ("DI", "M", "LSR", "CE")]
        return [net for net in nets if net is not None]

    def _until(self, name: str, spot: Point | None = None) -> float:
        """Latest arrival at a register, or at its twin in another place."""
        placed = self.placed
        if spot is not None:
            ways = ((net, placed.at[placed.driver[net]]) for net in self._feeds(name))
            return max((placed.arrival[net] + way(begin, spot) for net, begin in ways), default=0.0)
        pins = ((placed.net(name, port), port) for port in ("DI", "M", "LSR", "CE"))
        return max(
            (placed.at_pin(n, (name, port)) for n, port in pins if n is not None), default=0.0
        )

    def _relieve(self, net: int, name: str, limit: float) -> None:
        placed, here = self.placed, self.placed.at[name]
        launch, readers = LAUNCH[REGISTER], placed.readers.get(net, [])
        until, feeds = self._until(name), self._feeds(name)
        if not feeds:
            return
        first = max(feeds, key=lambda feed: placed.arrival[feed])
        begin = np.array(placed.at[placed.driver[first]])
        late = [pin for pin in readers if launch + placed.after(here, pin) > limit]
        groups = regions(late, placed.at) if late else []
        if until > limit and readers:  # too far from what feeds it
            groups = [list(readers)]
        for group in groups:
            now = max(until, launch + max(placed.after(here, pin) for pin in group))
            middle = np.mean([placed.at[reader] for reader, _ in group], axis=0)

            def worst(point: Point, group: list[Pin] = group) -> float:
                after = launch + max(placed.after(point, pin) for pin in group)
                return max(self._until(name, point), after)

            ways = [begin + part * (middle - begin) for part in PARTS]
            wanted = min(((float(x), float(y)) for x, y in ways), key=worst)
            needs = control(placed.cells[name])
            index = self.slots.find(wanted, needs)
            if index is None:
                continue
            column, row = self.slots.free[index][:2]
            if worst((float(column), float(row))) < now - GAIN:
                self._twin(net, name, group, self.slots.take(index, needs))

    def _twin(self, net: int, name: str, group: list[Pin], bel: str) -> None:
        placed, original = self.placed, self.placed.cells[name]
        self.count += 1
        twin, output = f"{name.split(MARK)[0]}{MARK}{self.count}", placed.next_net
        placed.next_net += 1
        wires = {port: list(bits) for port, bits in original["connections"].items()}
        wires |= {"DI": [], "M": wires.get("DI") or wires["M"], "Q": [output]}
        placed.cells[twin] = original | {
            "connections": wires,
            "port_directions": original["port_directions"] | {"DI": "input", "M": "input"},
            "parameters": original["parameters"] | {"SD": "0 "},
            "attributes": original["attributes"] | {"NEXTPNR_BEL": bel},
        }
        placed.netnames[twin] = {"hide_name": 0, "bits": [output], "attributes": {}}
        placed.at[twin] = point = position(bel)
        for reader, port in group:
            placed.cells[reader]["connections"][port] = [output]
        moved = set(group)
        placed.readers[net] = [pin for pin in placed.readers[net] if pin not in moved]
        placed.readers[output], placed.driver[output] = list(group), twin
        placed.arrival[output] = LAUNCH[REGISTER]
        placed.tail[output] = max(placed.after(point, pin) for pin in group)
        for port in ("M", "LSR", "CE"):
            feed = placed.net(twin, port)
            if feed is not None:
                placed.readers[feed].append((twin, port))
        if not placed.readers[net] and net not in self.outside:
            self._remove(net, name)

    def _remove(self, net: int, name: str) -> None:
        """Take away a register that nothing reads any more."""
        placed = self.placed
        for port in ("DI", "M", "LSR", "CE"):
            feed = placed.net(name, port)
            if feed is not None:
                placed.readers[feed].remove((name, port))
        for entry in [n for n, e in placed.netnames.items() if e["bits"] == [net]]:
            del placed.netnames[entry]
        del placed.cells[name], placed.driver[net]


@dataclass(frozen=True)
class Relief:
    """Twins that were made, and the longest way by the estimate, in ns."""

    count: int
    before: float
    after: float


def relieve(module: dict[str, Any], limit: float) -> Relief:
    """Add twins to a placed module, in place, for ways longer than `limit` ns by the estimate."""
    twins = Twins(module)
    twins.placed.time()
    before = twins.placed.slowest()
    for _ in range(SWEEPS):
        if not twins.sweep(limit):
            break
    twins.placed.time()
    count = sum(MARK in name for name in module["cells"])  # some have taken the place of others
    return Relief(count, round(before, 2), round(twins.placed.slowest(), 2))
