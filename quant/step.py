"""A matrix step: the product with constant weights, and its tail, in whole floats."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property, lru_cache
from itertools import accumulate, pairwise

import numpy as np

from quant import ops
from quant.exact import DOUBLE, SINGLE, SINGLE_MAX, Array, Carrier, Scalar
from quant.qmodel import Linear
from quant.tail import ONE, Channel, Columns, Tail, beside, tail


def channels(linear: Linear, x_max: int, low: int | None = None, signed: bool = True) -> Columns:
    """The output channels of a step whose inputs stay within x_max, or not `signed` from 0 to
    x_max; low: of the outputs."""
    top, sums = ops.limit(linear.out_bits), linear.reach(x_max, signed)
    shift, bias = linear.shift.astype(np.int64), linear.bias.astype(np.int64)
    return Columns(shift, bias, sums, -top if low is None else low, top)


@lru_cache
def cached(shift: int, exponent: int, bits: int, acc_max: int, k_max: int | None = None) -> Tail:
    """The tail of a step whose matrix is a cache: one channel that stands for all."""
    top = ops.limit(bits)
    one = Columns.of([Channel(shift, ops.ROUND_BIAS, acc_max, -top, top)])
    return tail(one, exponent, k_max).for_rows()


class Step:
    """Matrix steps that read the same input, side by side (more than one only with a scalar)."""

    def __init__(
        self,
        linears: Sequence[Linear],
        x_max: int,
        k_max: int | None = None,
        low: int | None = None,
        signed: bool = True,
    ) -> None:
        """|x| <= x_max, and 0 <= x where not `signed`; the scalar's k <= k_max (None: no scalar);
        low: of the outputs."""
        parts = [
            tail(channels(linear, x_max, low, signed), linear.exponent, k_max) for linear in linears
        ]
        self.tails = parts
        ends = list(accumulate((len(linear.shift) for linear in linears), initial=0))
        self.slices = [slice(*pair) for pair in pairwise(ends)]
        self.parts = [Part(linear, part) for linear, part in zip(linears, parts, strict=True)]

    @cached_property
    def row_tail(self) -> Tail:
        """Of a single row; made when one comes."""
        return beside(self.tails)

    @cached_property
    def weight(self) -> Array:
        """Of a single row: [out, in], all steps below each other."""
        return np.concatenate([part.double.T for part in self.parts])

    def __call__(self, x: Array, factor: float = ONE) -> Array:
        """Whole float64 [in] -> [out], all steps in one."""
        return self.row_tail(self.weight.dot(x), factor, factor)

    def split(self, z: Array) -> list[Array]:
        """What `__call__` returned, for each step."""
        return [z[part] for part in self.slices]

    def rows(self, x: Array, scalar: Scalar | None = None) -> list[Array]:
        """Whole [N, in] -> [N, out] of each step; the scalar's arrays are [N]."""
        return [part(x, scalar) for part in self.parts]


class Part:
    """One step for many rows: in float32 where that is exact."""

    def __init__(self, linear: Linear, tail: Tail) -> None:
        self.linear, self.tail = linear, tail.for_rows()
        self.single = self._weight(SINGLE)

    def _weight(self, kind: Carrier) -> Array:
        """[in, out], prescaled."""
        return (self.linear.weight * self.tail.prescale.astype(kind)[:, None]).T

    @cached_property
    def double(self) -> Array:
        """[in, out]; made when float32 does not do, or a single row comes."""
        return np.ascontiguousarray(self._weight(DOUBLE))

    def __call__(self, x: Array, scalar: Scalar | None) -> Array:
        if self.is_single(None if scalar is None else scalar.largest):
            acc = x.astype(SINGLE, copy=False) @ self.single
        else:
            acc = x.astype(DOUBLE, copy=False) @ self.double
        if scalar is None:
            return self.tail(acc)
        return self.tail(acc, scalar.factor[:, None], scalar.least)

    @cached_property
    def lengths(self) -> tuple[int, int]:
        """Largest sum of squared weights, and rounding half, in units of the last place."""
        places = np.maximum(self.linear.shift, 1).astype(np.int64)
        squares = (self.linear.weight.astype(np.int64) ** 2).sum(axis=1)
        longest = (squares << 2 * (places - self.linear.shift)).max()
        return int(longest), int(1 << places.max() >> 1)

    def is_single(self, sum_squares: int | None) -> bool:
        """Whether float32 holds all sums: by the bound for any input, or by that for inputs with
        this sum of squares (Cauchy and Schwarz: no sum over some of the products exceeds
        |weights| * |inputs|)."""
        if self.tail.bound < SINGLE_MAX:
            return True
        if sum_squares is None:
            return False
        squares, half = self.lengths
        return math.isqrt(squares * sum_squares) + 1 + half < SINGLE_MAX
