"""Registers that are read all over the device, copied for each part of it.

A placer that looks for short nets has no reason to put a register into the middle of what it feeds.
Copies of a register do the same as one, so this changes neither a bit nor a cycle.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import numpy as np

from export.synth.floorplan import BLOCK, MULTIPLIER, Point

REGISTER, TABLE = "TRELLIS_FF", "LUT4"
INPUTS = ("DI", "M", "CE", "LSR")  # of a register, without its clock
FEWEST = 4  # readers
REACH = 24.0  # columns or rows of the device that one copy or twin feeds

Reader = tuple[str, str, int]  # cell, port, bit
Pin = TypeVar("Pin", tuple[str, str], tuple[str, str, int])


class Netlist:
    """A flat module: who drives and who reads each net. `at`: about where each cell lies."""

    def __init__(self, module: dict[str, Any], at: Mapping[str, Point]) -> None:
        self.cells, self.at = module["cells"], dict(at)
        self.outside = {bit for port in module["ports"].values() for bit in port["bits"]}
        self.driver: dict[int, str] = {}
        self.readers: dict[int, list[Reader]] = {}
        for name, cell in self.cells.items():
            for port, bits in cell["connections"].items():
                for place, bit in enumerate(bits):
                    if not isinstance(bit, int):
                        continue
                    if cell["port_directions"].get(port) == "output":
                        self.driver[bit] = name
                    else:
                        self.readers.setdefault(bit, []).append((name, port, place))
        self.next_net = 1 + max((*self.driver, *self.readers), default=1)

    def output(self, register: str) -> int:
        return self.cells[register]["connections"]["Q"][0]

    def _kind(self, net: Any) -> str | None:
        """The type of the cell that drives a net; None for constants and inputs."""
        name = self.driver.get(net)
        return None if name is None else self.cells[name]["type"]

    def is_shallow(self, register: str) -> bool:
        """Whether at most one table lies between this register and those that feed it: with more,
        the way to a far copy would be too long."""
        wires = self.cells[register]["connections"]
        return all(self._is_near(net) for port in INPUTS for net in wires.get(port, ()))

    def _is_near(self, source: Any) -> bool:
        begin = (None, REGISTER, MULTIPLIER, BLOCK)
        if self._kind(source) != TABLE:
            return self._kind(source) in begin
        table = self.cells[self.driver[source]]["connections"]
        return all(self._kind(net) in begin for port in "ABCD" for net in table.get(port, ()))

    def _fed(self, register: str) -> Iterator[str]:
        """Registers that take the value of this one without any logic."""
        for name, port, _ in self.readers.get(self.output(register), ()):
            if port in ("DI", "M") and self.cells[name]["type"] == REGISTER:
                yield name

    def registers(self) -> list[str]:
        """All registers, each after those that it feeds: a chain is copied from its end."""
        seen: set[str] = set()
        result = []
        for first in [n for n, cell in self.cells.items() if cell["type"] == REGISTER]:
            if first in seen:
                continue
            seen.add(first)
            path = [(first, self._fed(first))]
            while path:
                name, ends = path[-1]
                following = next((end for end in ends if end not in seen), None)
                if following is None:
                    result.append(name)
                    path.pop()
                else:
                    seen.add(following)
                    path.append((following, self._fed(following)))
        return result

    def copy(self, register: str, group: list[Reader], name: str) -> None:
        """A twin of `register` that feeds `group`."""
        original = self.cells[register]
        wires = {port: list(bits) for port, bits in original["connections"].items()}
        net, self.next_net = self.next_net, self.next_net + 1
        self.cells[name] = original | {
            "connections": wires | {"Q": [net]},
            "attributes": dict(original.get("attributes", {})),
        }
        for reader, port, place in group:
            self.cells[reader]["connections"][port][place] = net
        self.driver[net], self.readers[net] = name, list(group)
        taken = set(group)
        former = self.output(register)
        self.readers[former] = [pin for pin in self.readers[former] if pin not in taken]
        for port, bits in wires.items():
            if port != "Q":
                for place, bit in enumerate(bits):
                    if isinstance(bit, int):
                        self.readers[bit].append((name, port, place))
        middle = np.mean([self.at[reader] for reader, _, _ in group], axis=0)
        self.at[name] = float(middle[0]), float(middle[1])


def regions(readers: list[Pin], at: Mapping[str, Point]) -> list[list[Pin]]:
    """Readers, whose first part is the cell, by parts of the device."""
    waiting, result = [readers], []
    while waiting:
        group = waiting.pop()
        spots = np.array([at[reader[0]] for reader in group])
        extent = np.ptp(spots, axis=0)
        axis = int(extent[1] > extent[0])
        if extent[axis] <= REACH:
            result.append(group)
            continue
        low = spots[:, axis] <= (spots[:, axis].min() + spots[:, axis].max()) / 2
        waiting.append([reader for reader, near in zip(group, low, strict=True) if near])
        waiting.append([reader for reader, near in zip(group, low, strict=True) if not near])
    return result


def spread(module: dict[str, Any], at: Mapping[str, Point]) -> int:
    """Copy registers of `module`, in place; returns how many copies there are now."""
    netlist, count = Netlist(module, at), 0
    for register in netlist.registers():
        net = netlist.output(register)
        readers = netlist.readers.get(net, [])
        if net in netlist.outside or len(readers) < FEWEST or not netlist.is_shallow(register):
            continue
        by_size = sorted(regions(readers, netlist.at), key=len, reverse=True)
        for group in by_size[1:]:
            count += 1
            netlist.copy(register, group, f"{register}$copy{netlist.next_net}")
    return count
