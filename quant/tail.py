"""`ops.requantize` on whole floats: the tail of a matrix step, in the fewest passes.

The accumulators arrive multiplied by `prescale`, a power of two per channel. A step with a scalar
(factor = r * 2^-k) has the tail

    a = clip(floor(acc * 2^-shift + 1/2))       z = clip(floor(a * factor * unit + offset))

with unit = 2^-(exponent + 4), and the bias in units of the output as offset. Without scalar `a` is
scaled by a power of two alone, and one floor does for two, as for whole n > 0
floor((floor(x) + c) / n) = floor((x + floor(c)) / n):

    z = clip(floor(acc * 2^-(shift + drop) + offset))       drop = exponent - 11

What is exact is worked out from the accumulator's bound and the biases, in integers.
"""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np

from quant import ops
from quant.exact import DOUBLE, EXACT_MAX, SINGLE, SINGLE_MAX, Array, Carrier, carrier

PRE = ops.limit(ops.PRE_BITS)
PRODUCT_MAX = (PRE + 1) << ops.MANT_BITS  # of a reduced accumulator and a mantissa
ONE = float(ops.ONE)
INT64_BITS = 62  # what int64 holds, with a bit to spare for a sum


class Channel(NamedTuple):
    """One output channel: |acc| <= acc_max < 2^48; the output stays within low..high."""

    shift: int
    bias: int
    acc_max: int
    low: int
    high: int


class Columns(NamedTuple):
    """Output channels side by side: int64 [out] each, acc_max < 2^48; low and high may be one."""

    shift: Array
    bias: Array
    acc_max: Array
    low: Array | int
    high: Array | int

    @classmethod
    def of(cls, channels: Sequence[Channel]) -> Self:
        """Single channels as columns."""
        return cls(*np.array(channels, np.int64).T)

    @property
    def places(self) -> Array:
        """Fraction bits of acc * 2^-shift + 1/2."""
        return np.maximum(self.shift, 1)

    @property
    def start_max(self) -> Array:
        """`start_max` of each."""
        places = self.places
        return (self.acc_max << (places - self.shift)) + (1 << places >> 1)

    @property
    def bias_max(self) -> int:
        return int(np.abs(self.bias).max())

    def ends(self) -> tuple[Array, Array]:
        """low and high, float64 [out] or []."""
        return np.asarray(self.low, DOUBLE), np.asarray(self.high, DOUBLE)


def start_max(shift: int, acc_max: int) -> int:
    """Bound on acc * 2^-shift + 1/2 for |acc| <= acc_max, in units of its last place."""
    places = max(shift, 1)
    return (acc_max << (places - shift)) + (1 << places >> 1)


class Tail(ABC):
    """What both forms have. Constants are arrays [out], or scalars where channels agree anyway.
    `beside` has arrays alone, which suits one row (NumPy applies them faster than scalars);
    `for_rows` has scalars wherever channels agree, which suits many, and arrays of the type that
    the accumulators have.

    bound: on the accumulators plus what is added to them, in the unit in which they must be exact.
    """

    bound: int
    prescale: Array  # [out]
    offset: Array | float
    low: Array | float
    high: Array | float
    constants: tuple[str, ...] = ("offset", "low", "high")
    row_kind: Carrier = DOUBLE
    is_for_rows: bool = False

    @abstractmethod
    def __call__(self, acc: Array, factor: Array | float = ONE, least: float = 0.0) -> Array:
        """Whole [..., out] of acc [..., out], in its place; factor: a float or [..., 1], no element
        less than `least`."""

    def clip(self, x: Array, low: Array | float, high: Array | float) -> Array:
        """In place. For a row the two halves cost less than a clip, for many rows more."""
        if self.is_for_rows:
            return x.clip(low, high, out=x)
        np.minimum(x, high, out=x)
        return np.maximum(x, low, out=x)

    def for_rows(self) -> Self:
        """The same for many rows at once."""
        other = copy.copy(self)
        other.is_for_rows = True
        for name in ("offset", "low", "high"):
            values = np.asarray(getattr(self, name))
            first = values.flat[0]
            is_one = values.size == 1 or (values == first).all()
            setattr(other, name, float(first) if is_one else values.astype(self.row_kind))
        return other

    def of_shape(self, shape: tuple[int, ...]) -> Self:
        """The same for single rows of this shape; the tail has one channel."""
        other = copy.copy(self)
        other.is_for_rows = False
        for name in self.constants:
            setattr(other, name, np.full(shape, getattr(self, name)))
        return other


class Scaled(Tail):
    """The tail with a scalar whose k is at most `k_max`; or without one, when `factor` is 2^15."""

    constants = ("offset", "low", "high", "half", "pre", "minus_pre")
    unit: Array | float
    half: Array | float = 0.5
    pre: Array | float = float(PRE)
    minus_pre: Array | float = -float(PRE)

    def __init__(self, c: Columns, exponent: int, k_max: int) -> None:
        start_max = c.start_max
        self.bound = int(start_max.max())
        self.prescale = 2.0**-c.shift
        self.offset = c.bias * 2.0**-ops.GUARD_BITS
        self.low, self.high = c.ends()
        self.unit = 2.0 ** -(exponent + ops.GUARD_BITS)
        widest = c.bias_max << max(exponent + k_max, 0)
        self.is_deep = PRODUCT_MAX + widest >= EXACT_MAX
        largest = int((start_max >> c.places).max()) + 1  # |a| before its clip
        fits = (largest << ops.MANT_BITS) + widest < EXACT_MAX
        self.enough = self._enough() if fits and not self.is_deep else math.inf

    def _enough(self) -> float:
        """A factor from which on the clip of `a` changes nothing: all that it cuts is beyond the
        ends of the output anyway. (The margin is for the rounding of this line.)"""
        reach = np.maximum(self.high - self.offset, self.offset - self.low).max()
        return float(reach / (PRE * self.unit) * (1 + 2.0**-40))

    def __call__(self, acc: Array, factor: Array | float = ONE, least: float = 0.0) -> Array:
        acc += self.half
        z = np.floor(acc, out=acc)
        if least < self.enough:
            z = self.clip(z, self.minus_pre, self.pre)
        z = z.astype(DOUBLE, copy=False)
        z *= factor * self.unit
        if self.is_deep:  # one double does not hold product and bias: round before adding
            z *= 2.0**ops.GUARD_BITS
            np.floor(z, out=z)
            z *= 2.0**-ops.GUARD_BITS
        z += self.offset
        np.floor(z, out=z)
        if z is not acc:
            acc[...] = z  # a float32 holds all outputs; what it rounds is beyond their ends
        return self.clip(acc, self.low, self.high)


class Merged(Tail):
    """The tail of a step without scalar, in one floor."""

    EXPONENT_MIN = ops.MANT_BITS - ops.GUARD_BITS  # below, `a` is scaled up

    def __init__(self, c: Columns, exponent: int) -> None:
        drop = exponent - self.EXPONENT_MIN
        bits = c.bias_max.bit_length() + drop + int(c.places.max())
        bias = c.bias if bits < INT64_BITS else c.bias.astype(object)  # Python's integers
        carried = bias << drop >> ops.GUARD_BITS  # in units of `a`
        self.bound = int((c.start_max + (abs(carried) << c.places)).max())
        self.row_kind = SINGLE if self.bound < SINGLE_MAX else DOUBLE
        self.prescale = 2.0 ** -(c.shift + drop)
        self.offset = (carried + 0.5).astype(DOUBLE) * 2.0**-drop
        low, high = ((carried + end >> drop).astype(DOUBLE) for end in (-PRE, PRE))
        self.low = np.clip(low, *c.ends())  # two clips as one
        self.high = np.clip(high, *c.ends())

    def __call__(self, acc: Array, factor: Array | float = ONE, least: float = 0.0) -> Array:
        acc += self.offset
        np.floor(acc, out=acc)
        return self.clip(acc, self.low, self.high)


def tail(channels: Columns, exponent: int, k_max: int | None = None) -> Tail:
    """The fastest exact tail; k_max is None for a step without scalar. OverflowError: none is."""
    if k_max is None and exponent >= Merged.EXPONENT_MIN:
        merged = Merged(channels, exponent)
        if merged.bound < EXACT_MAX:
            return merged
    scaled = Scaled(channels, exponent, k_max or 0)
    carrier(scaled.bound)
    return scaled


def beside(tails: Sequence[Tail]) -> Tail:
    """One tail for steps side by side, all of one form."""
    other = copy.copy(tails[0])
    other.bound = max(tail.bound for tail in tails)
    scaled = [tail for tail in tails if isinstance(tail, Scaled)]
    if isinstance(other, Scaled):
        other.is_deep = any(tail.is_deep for tail in scaled)
        other.enough = max(tail.enough for tail in scaled)
        if any(tail.unit != other.unit for tail in scaled):
            other.unit = np.concatenate([np.full(len(t.prescale), t.unit) for t in scaled])
    sizes = [len(tail.prescale) for tail in tails]
    for name in ("prescale", *other.constants):
        parts = [np.broadcast_to(getattr(t, name), n) for t, n in zip(tails, sizes, strict=True)]
        setattr(other, name, np.concatenate(parts))
    return other
