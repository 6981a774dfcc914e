"""Registers of a placed design whose ways are too long get a twin nearer to what they feed, and so
do tables of registers alone.

A placer that looks for short nets has no reason to put a register into the middle of a long way,
and a register that is read all over the device has no good place at all. A twin is fed by the same
and does the same, so this changes neither a bit nor a cycle. It is put into a free place of the
device, and nothing that is placed moves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from export.synth.copies import regions
from export.synth.placed import (
    LAUNCH,
    LOOK_UP,
    NEIGHBOUR,
    REGISTER,
    Pin,
    Placed,
    Point,
    position,
    way,
)
from export.synth.slots import Slots, control

FED = ("A", "B", "C", "D", "DI", "M", "LSR", "CE")  # by nets that a twin is fed by as well
GAIN = 0.3  # ns: a twin for less is not worth its place
LEAST = 1.0  # the same, of a table
MARK = "$twin"  # in a twin's name, behind that of the register
SHARE = 0.65  # of a period: ways shorter than this are left
SWEEPS = 8
PARTS = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0)  # of the way from what feeds it


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
        for net in [n for n in placed.order if placed.arrival[n] + placed.tail[n] > limit]:
            self._spread(net, placed.driver[net], limit)
        return self.count - before

    def _spread(self, net: int, name: str, limit: float) -> None:
        """Twins of a table that depends on registers alone, in the middle of what it feeds: its
        registers can follow."""
        placed, cell = self.placed, self.placed.cells[name]
        feeds = [placed.net(name, port) for port in "ABCD"]
        begins = [placed.driver[feed] for feed in feeds if feed is not None]
        if (
            cell["parameters"].get("MODE", "LOGIC") != "LOGIC"
            or cell["connections"].get("F") != [net]
            or cell["connections"].get("OFX")
            or not begins
            or any(placed.cells[begin]["type"] != REGISTER for begin in begins)
        ):
            return
        here = placed.at[name]
        late = [
            pin
            for pin in placed.readers.get(net, [])
            if pin[1] not in NEIGHBOUR and placed.arrival[net] + placed.after(here, pin) > limit
        ]
        for group in regions(late, placed.at) if late else []:
            middle = np.mean([placed.at[reader] for reader, _ in group], axis=0)
            point = float(middle[0]), float(middle[1])
            now, then = (max(placed.after(at, pin) for pin in group) for at in (here, point))
            until = LAUNCH[REGISTER] + LOOK_UP
            until += max(way(placed.at[begin], point) for begin in begins)
            if then < now - LEAST and until + then < placed.arrival[net] + now + LEAST:
                self._twin_table(net, name, group, point)

    def _twin_table(self, net: int, name: str, group: list[Pin], point: Point) -> None:
        placed, original = self.placed, self.placed.cells[name]
        bel = self.slots.take_table(point)
        if bel is None:
            return
        wires = {port: list(bits) for port, bits in original["connections"].items()}
        twin = self._add(net, name, group, bel, wires | {"F": [placed.next_net]}, {})
        output = placed.net(twin, "F")
        assert output is not None
        placed.order.insert(0, output)  # it depends on registers alone
        inputs = [feed for feed, _ in placed.inputs(output)]
        placed.arrival[output] = LOOK_UP + max(
            placed.arrival[feed] + way(placed.at[placed.driver[feed]], position(bel))
            for feed in inputs
        )

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
        wires = {port: list(bits) for port, bits in original["connections"].items()}
        data = wires.get("DI") or wires["M"]
        wires |= {"DI": [], "M": data, "Q": [placed.next_net]}
        twin = self._add(net, name, group, bel, wires, {"SD": "0 "})
        placed.cells[twin]["port_directions"] |= {"DI": "input", "M": "input"}
        output = placed.net(twin, "Q")
        assert output is not None
        placed.arrival[output] = LAUNCH[REGISTER]

    def _add(
        self,
        net: int,
        name: str,
        group: list[Pin],
        bel: str,
        wires: dict[str, list[int]],
        parameters: dict[str, str],
    ) -> str:
        """A twin of `name`, whose output takes `group` from `net`; its name."""
        placed, original = self.placed, self.placed.cells[name]
        self.count += 1
        twin, output = f"{name.split(MARK)[0]}{MARK}{self.count}", placed.next_net
        placed.next_net += 1
        placed.cells[twin] = original | {
            "connections": wires,
            "port_directions": dict(original["port_directions"]),
            "parameters": original["parameters"] | parameters,
            "attributes": original["attributes"] | {"NEXTPNR_BEL": bel},
        }
        placed.netnames[twin] = {"hide_name": 0, "bits": [output], "attributes": {}}
        placed.at[twin] = point = position(bel)
        for reader, port in group:
            placed.cells[reader]["connections"][port] = [output]
            if port in ("LSR", "CE") and placed.cells[reader]["type"] == REGISTER:
                self.slots.change(placed.cells[reader])
        moved = set(group)
        placed.readers[net] = [pin for pin in placed.readers[net] if pin not in moved]
        placed.readers[output], placed.driver[output] = list(group), twin
        placed.tail[output] = max(placed.after(point, pin) for pin in group)
        for port in FED:
            feed = placed.net(twin, port)
            if feed is not None:
                placed.readers[feed].append((twin, port))
        if not placed.readers[net] and net not in self.outside:
            self._remove(net, name)
        return twin

    def _remove(self, net: int, name: str) -> None:
        """Take away a cell that nothing reads any more."""
        placed = self.placed
        for port in FED:
            feed = placed.net(name, port)
            if feed is not None:
                placed.readers[feed].remove((name, port))
        for entry in [n for n, e in placed.netnames.items() if e["bits"] == [net]]:
            del placed.netnames[entry]
        if net in placed.order:
            placed.order.remove(net)
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
