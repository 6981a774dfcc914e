"""Hexadecimal rows to lanes: any width, any number of lanes, unknown bits."""

from __future__ import annotations

import numpy as np
import pytest

from sim import trace


@pytest.mark.parametrize("bits", [1, 3, 7, 12, 15, 16, 20])
@pytest.mark.parametrize("count", [2, 3, 16])
@pytest.mark.parametrize("signed", [False, True])
def test_lanes(bits: int, count: int, signed: bool) -> None:
    rng = np.random.default_rng(bits * count)
    low, high = (-(1 << (bits - 1)), 1 << (bits - 1)) if signed else (0, 1 << bits)
    rows = rng.integers(low, high, (20, count))
    digits, mask = -(-count * bits // 4), (1 << bits) - 1
    words = [sum((int(v) & mask) << (i * bits) for i, v in enumerate(row)) for row in rows]
    values, unknown = trace.lanes([f"{w:0{digits}x}" for w in words], count, bits, signed=signed)
    assert (values == rows).all()
    assert not unknown.any()


@pytest.mark.parametrize("letter", "xXzZ")
def test_unknown_lanes(letter: str) -> None:
    values, unknown = trace.lanes([f"00{letter}50001", "0007000f"], 2, 16, signed=True)
    assert unknown.tolist() == [[False, True], [False, False]]
    assert values[1].tolist() == [15, 7]
    _, unknown = trace.lanes([f"0{letter}00"], 5, 3, signed=False)  # digit 2 is bits 8 to 11
    assert unknown.tolist() == [[False, False, True, True, False]]


def test_a_row_of_the_wrong_length() -> None:
    with pytest.raises(ValueError, match="8 hexadecimal digits"):
        trace.lanes(["00"], 2, 16, signed=True)
