"""Registers and tables of a placed design whose ways are too long get a twin in a better place.

A placer that looks for short nets has no reason to put a register into the middle of a long way,
and a register that is read all over the device has no good place at all. A twin is fed by the same
and does the same, so this changes neither a bit nor a cycle. It is put into a free place of the
device, and nothing that is placed moves. A register that a table of its slice feeds gets a twin
alone, or together with one of that table, whichever is better.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from export.synth import netlist
from export.synth.copies import regions
from export.synth.placed import (
    LAUNCH,
    LOOK_UP,
    NEIGHBOUR,
    REGISTER,
    STEP,
    TABLE,
    TILE,
    Pin,
    Placed,
    Point,
    position,
    way,
)
from export.synth.slots import Beside, Slots, control

INTO = ("DI", "M", "LSR", "CE")  # a register
ENDS, CONE = ("F", "OFX"), ("F1", "FXA", "FXB")  # of tables, and from one to another in a tile
FED = (*"ABCD", *CONE, *INTO)  # by nets that a twin is fed by as well
OUTPUTS = ("Q", *ENDS)
NAME = {"hide_name": 0, "attributes": {}}  # of a new net
GAIN = 0.3  # ns: a twin for less is not worth its place
LEAST = 1.0  # the same, of a table
MARK = "$twin"  # in a twin's name, behind that of the register
SHARES = (0.85, 0.8)  # of the longest way: limits that are tried
ENOUGH = 0.65  # of a period: ways shorter than this are left
OUTER = 6  # tables that a twin may take with it from elsewhere
SWEEPS = 8
Feed = tuple[int, str, float]  # net, port, and the time from there to the register of the slice
PARTS = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0)  # of the way from what feeds it


@dataclass(frozen=True)
class Option:
    """How a register can have a twin: alone, with the tables of its tile that feed it, with others
    that feed those; what feeds all that."""

    tables: tuple[str, ...]
    outer: tuple[str, ...]
    feeds: list[Feed]


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
                ends = self._feeds(name, INTO)
                until = max((placed.at_pin(n, (name, p)) for n, p, _ in ends), default=0.0)
                worst = max(placed.arrival[net] + placed.tail[net], until)
                if worst > limit:
                    slow.append((worst, net, name))
        for _, net, name in sorted(slow, reverse=True):
            self._relieve(net, name, limit)
        for net in [n for n in placed.order if placed.arrival[n] + placed.tail[n] > limit]:
            if net in placed.driver:
                self._spread(net, placed.driver[net], limit)
        return self.count - before

    def _spread(self, net: int, name: str, limit: float) -> None:
        """Twins of a table between what feeds it and what it feeds; one that depends on registers
        alone goes into the middle of what it feeds: its registers can follow."""
        placed, here = self.placed, self.placed.at[name]
        tables, feeds = self._cone(net)
        if not feeds or len(tables) > 1 or not self.slots.spare():
            return
        follow = all(placed.cells[placed.driver[feed]]["type"] == REGISTER for feed, _, _ in feeds)
        late = [
            pin
            for pin in placed.readers.get(net, [])
            if pin[1] not in NEIGHBOUR and placed.arrival[net] + placed.after(here, pin) > limit
        ]
        for group in regions(late, placed.at) if late else []:

            def after(point: Point, group: list[Pin] = group) -> float:
                return max(placed.after(point, pin) for pin in group)

            def whole(point: Point, after: Callable[[Point], float] = after) -> float:
                return self._until(feeds, point) + after(point)

            ways = self._between(feeds, group)
            point = ways[-1] if follow else min(ways, key=whole)
            now, most = placed.arrival[net] + after(here), LEAST if follow else -LEAST
            far = follow and after(point) > after(here) - LEAST
            if far or whole(point) > now + most:
                continue
            output = self._net()
            twin = self._copy(name, self.slots.take_table(point), {"F": [output]})
            placed.arrival[output] = self._until(feeds, point)
            self._hand_over(net, name, twin, "F", group)

    def _relieve(self, net: int, name: str, limit: float) -> None:
        """Twins of a register between what feeds it and what it feeds."""
        placed, here = self.placed, self.placed.at[name]
        launch, readers = LAUNCH[REGISTER], placed.readers.get(net, [])
        alone = self._feeds(name, INTO)
        if not alone:
            return
        until = max(placed.at_pin(feed, (name, port)) for feed, port, _ in alone)
        late = [pin for pin in readers if launch + placed.after(here, pin) > limit]
        groups = regions(late, placed.at) if late else []
        if until > limit and readers:  # too far from what feeds it
            groups = [list(readers)]
        options = [Option((), (), alone)]
        tables, before = self._cone(placed.net(name, "DI") or placed.net(name, "M"))
        if before:
            near = Option(tuple(tables), (), before + self._feeds(name, ("LSR", "CE")))
            options.append(near)
            if self.slots.spare() > OUTER:
                options.append(self._deeper(near, here))
        needs = control(placed.cells[name])
        for group in groups:
            least = max(until, launch + max(placed.after(here, pin) for pin in group)) - GAIN
            best = None
            for option in options:
                fed = option.feeds

                def worst(point: Point, group: list[Pin] = group, fed: list[Feed] = fed) -> float:
                    after = launch + max(placed.after(point, pin) for pin in group)
                    return max(self._until(fed, point), after)

                wanted = min(self._between(fed, group), key=worst)
                index = self.slots.find(wanted, needs, self._beside(option.tables))
                if index is not None and (value := worst(self.slots.free[index][:2])) < least:
                    best, least = (index, option), value
            if best is not None:
                self._twin(net, name, group, *best)

    def _feeds(self, name: str, ports: Iterable[str]) -> list[Feed]:
        """Nets at these ports of a cell."""
        nets = ((self.placed.net(name, port), port) for port in ports)
        return [(net, port, 0.0) for net, port in nets if net is not None]

    def _cone(self, net: int | None) -> tuple[list[str], list[Feed]]:
        """Tables and multiplexers of one tile that make a net, and what feeds them from outside;
        none if they can have no twin."""
        placed, tables, feeds = self.placed, list[str](), list[Feed]()
        if net is None:
            return [], []
        path, inside = [(net, LOOK_UP)], set[int]()
        while path:
            net, behind = path.pop()
            inside.add(net)
            table = placed.driver[net]
            cell = placed.cells[table]
            if cell["type"] != TABLE or cell["parameters"].get("MODE", "LOGIC") != "LOGIC":
                return [], []
            tables += [] if table in tables else [table]
            wires = cell["connections"]
            if wires.get("OFX") == [net]:
                feeds += [(n, port, behind) for n, port, _ in self._feeds(table, "M")]
                inner = [n for n, _, _ in self._feeds(table, CONE)]
                inner += wires["F"] if wires.get("F1") else []
                path += [(n, behind + LOOK_UP) for n in inner]
            else:
                feeds += [(n, port, behind) for n, port, _ in self._feeds(table, "ABCD")]
        others = {
            end for table in tables for end in placed.cells[table]["connections"].get("OFX", ())
        }
        tile = {placed.at[table] for table in tables}
        return (tables, feeds) if len(tile) == 1 and others <= inside else ([], [])

    def _until(self, feeds: list[Feed], point: Point) -> float:
        """Latest arrival behind feeds of a twin that is put there."""
        placed = self.placed
        return max(
            placed.arrival[net] + way(placed.at[placed.driver[net]], point) + behind
            for net, _, behind in feeds
        )

    def _between(self, feeds: list[Feed], group: list[Pin]) -> list[Point]:
        """Points from the latest feed to the middle of the readers."""
        placed = self.placed
        first = max(feeds, key=lambda feed: placed.arrival[feed[0]] + feed[2])[0]
        begin = np.array(placed.at[placed.driver[first]])
        middle = np.mean([placed.at[reader] for reader, _ in group], axis=0)
        ways = (begin + part * (middle - begin) for part in PARTS)
        return [(float(x), float(y)) for x, y in ways]

    def _deeper(self, option: Option, here: Point) -> Option:
        """With the tables that the latest feeds come from."""
        placed, outer, feeds = self.placed, list[str](), list(option.feeds)
        while len(outer) < OUTER:

            def until(feed: Feed) -> float:
                return (
                    placed.arrival[feed[0]] + way(placed.at[placed.driver[feed[0]]], here) + feed[2]
                )

            net, _, behind = max(feeds, key=until)
            tables, before = self._cone(net)
            if not before or len(tables) > 1 or tables[0] in (*option.tables, *outer):
                break
            outer += tables
            more = behind + STEP + TILE
            feeds = [feed for feed in feeds if feed[0] != net]
            feeds += [(other, port, more + through) for other, port, through in before]
        return Option(option.tables, tuple(outer), feeds)

    def _beside(self, tables: Sequence[str]) -> list[Beside]:
        """How tables lie to a register that the first of them feeds."""
        cells, result = self.placed.cells, list[Beside]()
        for table in tables:
            part, bel = cells[table]["attributes"]["NEXTPNR_BEL"].split("SLICE")[1].split(".")
            home, own = (result[0].home, result[0].register) if result else (part, bel)
            is_mux = bool(cells[table]["connections"].get("M"))
            result.append(Beside(home, own.replace("K", "FF"), ord(part) - ord(home), bel, is_mux))
        return result

    def _twin(self, net: int, name: str, group: list[Pin], index: int, option: Option) -> None:
        """A twin of a register, fed from outside its slice or by twins of its tables there."""
        placed, wires = self.placed, self.placed.cells[name]["connections"]
        tables = option.tables
        beside = self._beside(tables)
        numbers = self.slots.around(index, beside)
        assert numbers is not None
        bel = self.slots.take(index, control(placed.cells[name]))
        output = {"Q": [self._net()]}
        if not tables:
            data = {"DI": [], "M": wires.get("DI") or wires["M"]}
            twin = self._copy(name, bel, data | output, {"SD": "0 "})
        else:
            places = [
                self.slots.close_table(number, where.is_mux)
                for number, where in zip(numbers, beside, strict=True)
            ]
            places += [self.slots.take_table(position(bel)) for _ in option.outer]
            whole = dict(zip((*tables, *option.outer), places, strict=True))
            cells = [placed.cells[table]["connections"] for table in whole]
            made = {own[port][0]: self._net() for own in cells for port in ENDS if own.get(port)}
            for own, (table, place) in zip(cells, whole.items(), strict=True):
                inner = {p: [made[bits[0]]] for p, bits in own.items() if bits and bits[0] in made}
                self._copy(table, place, inner)
            data = {"DI": [made[(wires.get("DI") or wires["M"])[0]]], "M": []}
            twin = self._copy(name, bel, data | output, {"SD": "1 "})
        self._hand_over(net, name, twin, "Q", group)

    def _net(self) -> int:
        """The number of a new net."""
        self.placed.next_net += 1
        return self.placed.next_net - 1

    def _copy(
        self,
        name: str,
        bel: str,
        wires: dict[str, list[int]],
        parameters: dict[str, str] | None = None,
    ) -> str:
        """A twin of a cell that nothing reads yet, with some wires of its own; its name."""
        placed, original = self.placed, self.placed.cells[name]
        self.count += 1
        twin = f"{name.split(MARK)[0]}{MARK}{self.count}"
        own = {port: list(bits) for port, bits in original["connections"].items()} | wires
        placed.cells[twin] = original | {
            "connections": own,
            "port_directions": original["port_directions"]
            | dict.fromkeys(wires.keys() & {"DI", "M"}, "input"),
            "parameters": original["parameters"] | (parameters or {}),
            "attributes": original["attributes"] | {"NEXTPNR_BEL": bel},
        }
        placed.at[twin] = position(bel)
        for port in OUTPUTS:
            for output in wires.get(port, ()):
                placed.netnames[f"{twin}.{port}"] = {"bits": [output], **NAME}
                placed.names[output] = [f"{twin}.{port}"]
                placed.driver[output] = twin
                placed.readers.setdefault(output, [])
                placed.arrival[output] = LAUNCH[REGISTER] if port == "Q" else 0.0
                placed.tail[output] = 0.0
        for port, feed in self._fed(twin):
            placed.readers.setdefault(feed, []).append((twin, port))
        return twin

    def _fed(self, name: str) -> list[tuple[str, int]]:
        """Inputs of a cell and their nets."""
        wires = self.placed.cells[name]["connections"]
        return [(p, wires[p][0]) for p in FED if wires.get(p) and isinstance(wires[p][0], int)]

    def _hand_over(self, net: int, name: str, twin: str, port: str, group: list[Pin]) -> None:
        """The twin's output takes these readers."""
        placed, output = self.placed, self.placed.cells[twin]["connections"][port][0]
        for reader, at in group:
            placed.cells[reader]["connections"][at] = [output]
            if at in ("LSR", "CE") and placed.cells[reader]["type"] == REGISTER:
                self.slots.change(placed.cells[reader])
        moved = set(group)
        placed.readers[net] = [pin for pin in placed.readers[net] if pin not in moved]
        placed.readers[output] = list(group)
        placed.tail[output] = max(placed.after(placed.at[twin], pin) for pin in group)
        self._remove([name])

    def _remove(self, names: Sequence[str]) -> None:
        """Take away cells that only they read any more, and the tables that fed them alone."""
        placed, cells = self.placed, self.placed.cells
        ends = [cells[name]["connections"].get(port) or [] for name in names for port in OUTPUTS]
        outputs = [net for bits in ends for net in bits]
        readers = {pin[0] for net in outputs for pin in placed.readers.get(net, ())}
        if not names or readers - set(names) or self.outside.intersection(outputs):
            return
        feeds = {(name, port): feed for name in names for port, feed in self._fed(name)}
        for pin, feed in feeds.items():
            placed.readers[feed].remove(pin)
        for net in outputs:
            for entry in placed.names.pop(net, []):
                del placed.netnames[entry]
            del placed.driver[net]
        for name in names:
            del cells[name]
        for feed in set(feeds.values()):
            if not placed.readers[feed] and feed in placed.driver:
                self._remove(self._cone(feed)[0])


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


def best(load: Callable[[], dict[str, Any]], enough: float) -> tuple[dict[str, Any], Relief]:
    """A design with twins in its top for the limit that leaves the shortest ways, at least `enough`
    ns: with a low one, twins of ways that do not matter stand where others are needed, and make
    the routing dense."""
    design = load()
    placed = Placed(netlist.top(design))
    placed.time()
    before = round(placed.slowest(), 2)
    found = design, Relief(0, before, before)
    for share in SHARES:
        limit = max(enough, share * before)
        if limit >= found[1].after:
            continue
        design = load()
        relief = relieve(netlist.top(design), limit)
        if relief.after < found[1].after:
            found = design, relief
    return found
