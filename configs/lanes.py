"""Where the channels of queries and keys lie in tiles of `cols` lanes and waves of `rows` elements.

Shared by `quant.banks`, which counts memories before there is an artefact, and `export.geometry`.
"""

from __future__ import annotations

import itertools


def head_places(begin: int, d_head: int, cols: int, *, rotary: bool) -> list[int]:
    """Lanes of the channels of a head that begins at lane `begin`, counted through all tiles.

    A rotary pair takes an even lane of a tile and the next one."""
    if not rotary:
        return list(range(begin, begin + d_head))
    firsts = (n for n in itertools.count(begin) if n % cols % 2 == 0 and n % cols + 1 < cols)
    return [first + n for first in itertools.islice(firsts, d_head // 2) for n in (0, 1)]


def head_waves(d_head: int, heads: int, rows: int, cols: int, *, rotary: bool) -> int:
    """Waves of a head: every head begins with one, and has room for its pairs."""
    for waves in itertools.count(-(-d_head // rows)):
        lasts = (
            head_places(head * waves * rows, d_head, cols, rotary=rotary)[-1]
            for head in range(heads)
        )
        if all(last < (head + 1) * waves * rows for head, last in enumerate(lasts)):
            return waves
    raise AssertionError


def key_writes(tile: int, rows: int, cols: int) -> int:
    """Waves of which a tile has channels: keys are written wave by wave, one a cycle."""
    return ((tile + 1) * cols - 1) // rows - tile * cols // rows + 1


def most_key_writes(rows: int, cols: int) -> int:
    """Those of the tile that has most; the tiles repeat after `rows`, at the latest."""
    return max(key_writes(tile, rows, cols) for tile in range(rows))
