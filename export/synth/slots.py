"""Places of a placed design that are still free, for registers and for tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from export.synth.placed import PLACE, RAM_WRITE, REGISTER, Point

Control = tuple[Any, ...]  # clock, set or reset, enable, and how they are used

NEARBY = 2000  # places that are tried for a register


@dataclass(frozen=True)
class Beside:
    """Where a table lies that feeds a register in the same tile."""

    home: str  # slice of the register
    register: str  # its place there
    part: int  # slices from there to that of the table
    bel: str
    is_mux: bool  # it takes the way into the register beside it that comes from outside


def control(cell: Mapping[str, Any]) -> Control:
    """What registers in one slice must share."""
    wires = cell["connections"]
    nets = [(wires.get(port) or [None])[0] for port in ("CLK", "LSR", "CE")]
    modes = ("CLKMUX", "LSRMUX", "CEMUX", "SRMODE", "GSR")
    return *(net if isinstance(net, int) else None for net in nets), *(
        cell["parameters"].get(mode, "") for mode in modes
    )


class Slots:
    """Free places for registers, and for tables."""

    def __init__(self, cells: Mapping[str, Any]) -> None:
        self.taken: dict[tuple[int, int], dict[tuple[str, str], Control]] = {}
        closed: set[tuple[int, int, str, str]] = set()
        used: set[tuple[int, int, str, str]] = set()
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
                used |= {(*tile, part, which) for which in ("K0", "K1")}
            else:
                used.add((*tile, part, bel))
                if cell["connections"].get("M"):  # the way into a register from outside the slice
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
        self.number = {place: number for number, place in enumerate(self.free)}
        every = {(*t, part, bel) for t in tiles for part in "ABCD" for bel in ("K0", "K1")}
        self.tables = sorted(every - used)
        self.table_points = np.array([t[:2] for t in self.tables], float).reshape(-1, 2)
        self.closed_tables = np.zeros(len(self.tables), bool)
        self.table_number = {place: number for number, place in enumerate(self.tables)}

    def around(self, index: int, tables: Sequence[Beside]) -> list[int] | None:
        """Numbers of the free places of tables that feed a register in the same tile, if it is put
        there: they lie to each other as they did. None if one is not free."""
        column, row, part, bel = self.free[index]
        one_slice = all(table.part == 0 for table in tables)
        result = []
        for table in tables:
            if table.register != bel or not (one_slice or part == table.home):
                return None
            beside = "ABCD"["ABCD".index(part) + table.part]
            number = self.table_number.get((column, row, beside, table.bel))
            way_in = beside, table.bel.replace("K", "FF")
            if number is None or self.closed_tables[number]:
                return None
            if table.is_mux and way_in != (part, bel) and way_in in self.taken[column, row]:
                return None
            result.append(number)
        return result

    def find(self, wanted: Point, needs: Control, tables: Sequence[Beside] = ()) -> int | None:
        """Number of the nearest place that suits a register with these controls, and so many tables
        that feed it: one set or reset and one enable in a tile at most, beside none."""
        distance = np.abs(self.points - np.array(wanted)).sum(axis=1)
        distance[~self.open] = np.inf
        count = min(NEARBY, len(distance) - 1)
        near = np.argpartition(distance, count)[:count]
        for index in near[np.argsort(distance[near], kind="stable")]:
            if not self.open[index]:
                return None
            if self.around(index, tables) is None:
                continue
            column, row, part, _ = self.free[index]
            here = self.taken[column, row]
            beside = [value for place, value in here.items() if place[0] == part]
            resets = {value[1] for value in here.values()} | {needs[1], None}
            enables = {value[2] for value in here.values()} | {needs[2], None}
            if all(v == needs for v in beside) and len(resets) <= 2 and len(enables) <= 2:
                return int(index)
        return None

    def change(self, cell: Mapping[str, Any]) -> None:
        """A register has got another reset or enable, with which those beside it must agree."""
        match = PLACE.match(cell["attributes"]["NEXTPNR_BEL"])
        assert match is not None
        self.taken[int(match[1]), int(match[2])][match[3], match[4]] = control(cell)

    def spare(self) -> int:
        """How many places for tables are free."""
        return len(self.tables) - int(self.closed_tables.sum())

    def take_table(self, wanted: Point) -> str:
        """Name of the nearest free place for a table, of which there is one; it is free no more."""
        distance = np.abs(self.table_points - np.array(wanted)).sum(axis=1)
        distance[self.closed_tables] = np.inf
        return self.close_table(int(distance.argmin()))

    def close_table(self, number: int, is_mux: bool = False) -> str:
        """Its name; it is free no more, nor is, of a multiplexer, the register's beside it."""
        self.closed_tables[number] = True
        column, row, part, bel = self.tables[number]
        register = self.number.get((column, row, part, bel.replace("K", "FF")))
        if is_mux and register is not None:
            self.open[register] = False
        return f"X{column}/Y{row}/SLICE{part}.{bel}"

    def take(self, index: int, needs: Control) -> str:
        """Its name; it is free no more."""
        column, row, part, bel = self.free[index]
        self.open[index] = False
        self.taken[column, row][part, bel] = needs
        return f"X{column}/Y{row}/SLICE{part}.{bel}"
