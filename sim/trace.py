"""trace.txt as numbers: lanes of hexadecimal data, unknown bits found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_VALUES = str.maketrans("xXzZ", "0000")
_UNKNOWN = str.maketrans("0123456789abcdefABCDEFxXzZ", "0" * 22 + "ffff")


def lanes(
    data: Sequence[str], count: int, bits: int, *, signed: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Values int64 [n, count] and where a bit is X [n, count]; lane 0 is rightmost."""
    digits = -(-count * bits // 4)
    if any(len(text) != digits for text in data):
        raise ValueError(f"data of {digits} hexadecimal digits expected")
    joined = "".join(data)
    try:
        raw = bytes.fromhex(joined) if digits % 2 == 0 else None
    except ValueError:
        raw = None
    if raw is not None and bits == 16 and signed:
        array = np.frombuffer(raw, ">i2").reshape(-1, count)[:, ::-1].astype(np.int64)
        return array, np.zeros(array.shape, bool)
    values = _split(joined.translate(_VALUES), digits, count, bits)
    unknown = np.zeros(values.shape, bool)
    if joined.translate(_VALUES) != joined:
        unknown = _split(joined.translate(_UNKNOWN), digits, count, bits) != 0
    if signed:
        values = np.where(values >> (bits - 1), values - (1 << bits), values)
    return values, unknown


def _split(joined: str, digits: int, count: int, bits: int) -> np.ndarray:
    """Unsigned lanes [n, count] of hexadecimal rows of `digits`."""
    nibbles = np.frombuffer(joined.encode("ascii"), np.uint8).reshape(-1, digits)
    nibbles = np.where(nibbles > 57, (nibbles & 7) + 9, nibbles & 15).astype(np.uint8)
    ones = (nibbles[:, :, None] >> np.arange(3, -1, -1, dtype=np.uint8)) & 1
    ones = ones.reshape(len(nibbles), -1)[:, digits * 4 - count * bits :]
    weights = np.int64(1) << np.arange(bits - 1, -1, -1)
    return (ones.reshape(len(nibbles), count, bits) @ weights)[:, ::-1]


def numbers(fields: Sequence[str]) -> tuple[list[int], list[bool]]:
    """Decimal fields, and which of them are X (then 0)."""
    unknown = [not text.isdigit() for text in fields]
    return [0 if x else int(text) for text, x in zip(fields, unknown, strict=True)], unknown
