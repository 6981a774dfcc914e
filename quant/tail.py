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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from quant import ops
from quant.exact import DOUBLE, EXACT_MAX, SINGLE, SINGLE_MAX, Array, Carrier, carrier

PRE = ops.limit(ops.PRE_BITS)
PRODUCT_MAX = (PRE + 1) << ops.MANT_BITS  # of a reduced accumulator and a mantissa
ONE = float(ops.ONE)


@dataclass(frozen=True)
class Channel:
    """One output channel: |acc| <= acc_max; the output stays within low..high."""

    shift: int
    bias: int
    acc_max: int
    low: int
    high: int

    @property
    def places(self) -> int:
        """Fraction bits of acc * 2^-shift + 1/2."""
        return max(self.shift, 1)

    @property
    def start_max(self) -> int:
        return start_max(self.shift, self.acc_max)


def start_max(shift: int, acc_max: int) -> int:
    """Bound on acc * 2^-shift + 1/2 for |acc| <= acc_max, in units of its last place."""
    places = max(shift, 1)
    return (acc_max << (places - shift)) + (1 << places >> 1)


class Tail(ABC):
    """What both forms have. Constants are arrays [out], which suits one row (NumPy applies them
    faster than scalars); `for_rows` has scalars where all channels agree, which suits many, and
    arrays of the type that the accumulators have.

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
        """Whole [..., out] of acc [..., out], which is overwritten; factor: a float or [..., 1], no
        element less than `least`."""

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
        for name in self.constants:
            values = getattr(self, name)
            is_one = (values == values[0]).all()
            setattr(other, name, float(values[0]) if is_one else values.astype(self.row_kind))
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

    def __init__(self, channels: Sequence[Channel], exponent: int, k_max: int) -> None:
        self.bound = max(c.start_max for c in channels)
        self.prescale = _floats(2.0**-c.shift for c in channels)
        self.offset = _floats(c.bias * 2.0**-ops.GUARD_BITS for c in channels)
        self.low, self.high = _floats(c.low for c in channels), _floats(c.high for c in channels)
        self.unit = 2.0 ** -(exponent + ops.GUARD_BITS)
        self.half = np.full(len(channels), 0.5)
        self.pre = np.full(len(channels), float(PRE))
        self.minus_pre = -self.pre
        widest = max(abs(c.bias) for c in channels) << max(exponent + k_max, 0)
        self.is_deep = PRODUCT_MAX + widest >= EXACT_MAX
        largest = max((c.start_max >> c.places) + 1 for c in channels)  # |a| before its clip
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
        if z.dtype != DOUBLE:
            z = z.astype(DOUBLE)
        z *= factor * self.unit
        if self.is_deep:  # one double does not hold product and bias: round before adding
            z *= 2.0**ops.GUARD_BITS
            np.floor(z, out=z)
            z *= 2.0**-ops.GUARD_BITS
        z += self.offset
        np.floor(z, out=z)
        return self.clip(z, self.low, self.high)


class Merged(Tail):
    """The tail of a step without scalar, in one floor."""

    EXPONENT_MIN = ops.MANT_BITS - ops.GUARD_BITS  # below, `a` is scaled up

    def __init__(self, channels: Sequence[Channel], exponent: int) -> None:
        drop = exponent - self.EXPONENT_MIN
        carried = [c.bias << drop >> ops.GUARD_BITS for c in channels]  # in units of `a`
        both = list(zip(channels, carried, strict=True))
        self.bound = max(c.start_max + (abs(extra) << c.places) for c, extra in both)
        self.row_kind = SINGLE if self.bound < SINGLE_MAX else DOUBLE
        self.prescale = _floats(2.0 ** -(c.shift + drop) for c in channels)
        self.offset = _floats((extra + 0.5) * 2.0**-drop for extra in carried)
        ends = [_ends(c, (extra - PRE) >> drop, (extra + PRE) >> drop) for c, extra in both]
        self.low, self.high = np.array(ends, DOUBLE).T.copy()

    def __call__(self, acc: Array, factor: Array | float = ONE, least: float = 0.0) -> Array:
        acc += self.offset
        np.floor(acc, out=acc)
        return self.clip(acc, self.low, self.high)


def tail(channels: Sequence[Channel], exponent: int, k_max: int | None = None) -> Tail:
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
    for name in ("prescale", *other.constants):
        setattr(other, name, np.concatenate([getattr(tail, name) for tail in tails]))
    return other


def _floats(values: Iterable[float]) -> Array:
    return np.array(list(values), DOUBLE)


def _ends(channel: Channel, low: int, high: int) -> tuple[int, int]:
    """Two clips, the first to low..high, as one."""
    a, b = channel.low, channel.high
    return min(max(low, a), b), max(min(high, b), a)
