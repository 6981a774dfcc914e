"""Words for exhaustive and random tests, and reference models of the array's memories."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

EXHAUSTIVE = 6  # widths up to this are tested with every value


def words(width: int, count: int = 40) -> list[int]:
    """Unsigned words: all of a narrow width; corners, powers of two and random ones of a wide."""
    if width <= EXHAUSTIVE:
        return list(range(1 << width))
    top = 1 << (width - 1)
    corners = [0, 1, 2, top - 1, top, top + 1, 2 * top - 2, 2 * top - 1]
    powers = [1 << random.randrange(width) for _ in range(count // 2)]
    return corners + powers + [random.getrandbits(width) for _ in range(count)]


def own_lanes(rows: int, cols: int, row: int) -> list[int]:
    """The lanes of a tile that an array row stores in its memories, one for each wave of a word."""
    return [(wave * rows + row) % cols for wave in range(waves_of_word(rows, cols))]


def waves_of_word(rows: int, cols: int) -> int:
    return math.lcm(rows, cols) // rows


def tiles_of_word(rows: int, cols: int) -> int:
    return math.lcm(rows, cols) // cols


class OperandMemory:
    """Vectors, a word of whole tiles and waves; written by tiles, read by waves."""

    def __init__(self, rows: int, cols: int, depth: int, *, zero_fill: bool = False) -> None:
        self.rows, self.cols, self.zero_fill = rows, cols, zero_fill
        self.words = [[0] * math.lcm(rows, cols) for _ in range(depth)]

    def write(self, word: int, group: int, lanes: int, data: Sequence[int]) -> None:
        """Elements of tile `group` of a word whose bit in `lanes` is set."""
        cells = self.words[word]
        if self.zero_fill and group == 0:
            cells[self.cols :] = [0] * (len(cells) - self.cols)
        for lane, value in enumerate(data):
            if lanes >> lane & 1:
                cells[group * self.cols + lane] = value

    def wave(self, word: int, sub: int) -> list[int]:
        """The elements of wave `sub` of a word, one per row."""
        return self.words[word][sub * self.rows : (sub + 1) * self.rows]


class KvMemory:
    """Weights of attention: for every row and address, `cols` columns."""

    def __init__(self, rows: int, cols: int, depth: int) -> None:
        self.rows, self.cols = rows, cols
        self.cells = [[[0] * cols for _ in range(depth)] for _ in range(rows)]  # [row][address]

    def write_value(self, address: int, row: int, data: Sequence[int]) -> None:
        """A tile of channels at one position."""
        self.cells[row][address] = list(data)

    def write_key(
        self, address: int, sub: int, group: int, column: int, data: Sequence[int]
    ) -> None:
        """The channels of one wave at one position: a column.

        Of the channels of a word those that are both in wave `sub` and in tile `group`.
        """
        for row in range(self.rows):
            lane = sub * self.rows + row - group * self.cols
            if 0 <= lane < self.cols:
                self.cells[row][address][column] = data[lane]
