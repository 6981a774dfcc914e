"""Whole numbers in float arrays: fast, and exact by bounds that are asserted.

A float32 holds every integer up to 2^24, a float64 up to 2^53, and so do they every multiple of a
power of two up to as many units. As long as all products and sums stay below that, in whatever
order, blocking or fused operation BLAS chooses, nothing is ever rounded; scaling by a power of two
never rounds. So `floor(x * 2^-s + 1/2)` is SHR. Every function here and in `step.py` equals one of
`quant.ops` (tested, also where exactness ends), and no array of floats leaves the golden model.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from quant import ops

Array = np.ndarray
Carrier = type[np.float32] | type[np.float64]
SINGLE, DOUBLE = np.float32, np.float64
SINGLE_MAX, EXACT_MAX = 2**24, 2**53


def carrier(bound: int) -> Carrier:
    """The narrowest type that is exact for sums up to `bound`; OverflowError if there is none."""
    if bound >= EXACT_MAX:
        raise OverflowError(f"sums up to {bound} are not exact in a double (2^53)")
    return SINGLE if bound < SINGLE_MAX else DOUBLE


def real(x: Array, kind: Carrier = DOUBLE) -> Array:
    """Integers as floats; TypeError for anything that is not integer already."""
    return ops.ints(x).astype(kind)


def whole(x: Array) -> Array:
    """Whole numbers in a float array as int64."""
    return x.astype(np.int64)


def index(x: Array) -> Array:
    """Whole numbers below 2^31 in a float array as indices (two casts are faster than one)."""
    return x.astype(np.int32).astype(np.intp)


class Scalar(NamedTuple):
    """Scalars (r, k) of many rows, and r * 2^-k; float arrays of one shape but for k (int)."""

    mantissa: Array
    k: Array
    factor: Array
    largest: int  # of the sums that they were made from

    @property
    def least(self) -> float:
        """The least factor."""
        return float(self.factor.min(initial=np.inf))

    def pairs(self) -> Array:
        """(r, k) as the trace has them: int64 [..., 2]."""
        return np.stack([whole(self.mantissa), self.k], axis=-1, dtype=np.int64)


def scalar(total: Array, table: Array, octaves: int) -> Scalar:
    """`ops.norm_scalar` (octaves=2) or `ops.recip_scalar` (1) of whole sums float64 [...] >= 1."""
    bits = ops.index_bits(len(table) // (2**octaves - 1))
    k = (np.frexp(total)[1] - 1) // octaves
    cell = np.ldexp(total, bits - octaves * k).astype(np.intp) - (1 << bits)
    mantissa = table.take(cell)
    return Scalar(mantissa, k, np.ldexp(mantissa, -k), int(total.max(initial=0)))


def rotate(z: Array, cos: Array, sin: Array, bits: int) -> Array:
    """`ops.rotate` of whole float64 z [..., d_head]; cos and sin whole [..., d_head/2]."""
    even, odd = z[..., 0::2], z[..., 1::2]
    out = np.empty(z.shape)
    out[..., 0::2] = even * cos - odd * sin
    out[..., 1::2] = even * sin + odd * cos
    return _narrow(out, ops.ROTARY_FRAC, bits)


def gated(gate: Array, up: Array, shift: int, bits: int) -> Array:
    """`ops.gated` of whole float64 of at most 16 bits."""
    return _narrow(gate * up, shift, bits)


def _narrow(x: Array, shift: int, bits: int) -> Array:
    """SAT_bits(SHR(x, shift)) in place, for |x| < 2^50."""
    x *= 2.0**-shift
    x += 0.5
    np.floor(x, out=x)
    top = ops.limit(bits)
    return np.clip(x, -top, top, out=x)


class Cache:
    """One layer's keys or values [G, context, d_head], written row by row.

    Each of the G heads serves as many heads of x and p, side by side. What it holds is multiplied
    by `prescale`, a power of two.
    """

    def __init__(self, shape: tuple[int, int, int], prescale: float) -> None:
        self._rows, self._prescale = np.zeros(shape), prescale

    def write(self, position: int, row: Array) -> None:
        """Put whole row [G, d_head] at `position`."""
        np.multiply(row, self._prescale, out=self._rows[:, position])

    def dots(self, x: Array, count: int) -> Array:
        """Products of x [n_heads, d_head] with the first rows: [n_heads, count]."""
        groups = x.reshape(len(self._rows), -1, x.shape[1])
        dots = np.matmul(groups, self._rows[:, :count].swapaxes(1, 2))
        return dots.reshape(len(x), count)

    def mix(self, p: Array) -> Array:
        """Sums of rows weighted by p [n_heads, count]: [n_heads, d_head]."""
        rows = self._rows[:, : p.shape[1]]
        return np.matmul(p.reshape(len(rows), -1, p.shape[1]), rows).reshape(len(p), -1)
