"""`ops.requantize` in place, its constants worked out once: most of the golden model's time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from quant import ops
from quant.qmodel import Linear

K_RANGE = 64


class Requantizer:
    """The tail of one or several matrix steps side by side; equal to `ops.requantize` (tested).

    Constants are arrays as long as a row, which NumPy applies faster than scalars.
    """

    def __init__(
        self,
        shift: np.ndarray,
        bias: np.ndarray,
        exponent: Sequence[int],
        bits: Sequence[int],
    ) -> None:
        """One entry per output channel."""
        self.shift = np.asarray(shift, np.int64)
        self.half = (np.int64(1) << self.shift) >> 1
        self.bias = np.asarray(bias, np.int64)
        self.exponent = np.array(exponent, np.int64)
        all_k = self.exponent + np.arange(K_RANGE)[:, None]
        self.by_k = list(np.clip(all_k, 0, ops.EXPONENT_MAX))  # e for each k that can occur
        self.direct = self.exponent - ops.MANT_BITS  # e where the mantissa 2^15 is left out
        self.is_direct = bool((self.direct >= 0).all())
        self.guard = np.full_like(self.shift, ops.GUARD_BITS)
        self.pre = np.full_like(self.shift, ops.limit(ops.PRE_BITS))
        self.top = np.array([ops.limit(width) for width in bits], np.int64)
        self.minus_pre, self.minus_top = -self.pre, -self.top

    @classmethod
    def of(cls, linears: Sequence[Linear]) -> Requantizer:
        """For matrices stacked along their outputs."""
        sizes = [len(linear.shift) for linear in linears]
        return cls(
            np.concatenate([linear.shift for linear in linears]),
            np.concatenate([linear.bias for linear in linears]),
            np.repeat([linear.exponent for linear in linears], sizes).tolist(),
            np.repeat([linear.out_bits for linear in linears], sizes).tolist(),
        )

    @classmethod
    def uniform(cls, shift: int, exponent: int, bits: int) -> Requantizer:
        """For a step whose matrix is a cache: one shift for all channels, no bias."""
        return cls(np.array([shift]), np.array([ops.ROUND_BIAS]), [exponent], [bits])

    def __call__(
        self,
        acc: np.ndarray,
        mantissa: np.ndarray | int | None = None,
        k: np.ndarray | int = 0,
    ) -> np.ndarray:
        """Overwrite and return int64 `acc` [..., out].

        mantissa, k: the step's scalar, ints or arrays that broadcast to acc; None: 2^15 and 0.
        """
        acc += self.half
        acc >>= self.shift
        np.minimum(acc, self.pre, out=acc)
        np.maximum(acc, self.minus_pre, out=acc)
        if mantissa is None and self.is_direct:  # FLR(a * 2^15, e) = FLR(a, e - 15)
            acc >>= self.direct
        else:
            acc *= ops.ONE if mantissa is None else mantissa
            acc >>= self.by_k[k] if isinstance(k, int) else self.exponent + k
        acc += self.bias
        acc >>= self.guard
        np.minimum(acc, self.top, out=acc)
        np.maximum(acc, self.minus_top, out=acc)
        return acc
