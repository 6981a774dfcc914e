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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from quant import ops
from quant.exact import DOUBLE, EXACT_MAX, Array, carrier

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


class Tail:
    """What both forms have. Constants are arrays [out], which suits one row (NumPy applies them
    faster than scalars); `for_rows` has scalars where all channels agree, which suits many.

    bound: on the accumulators plus what is added to them, in the unit in which they must be exact.
    """

    bound: int
    is_deep: bool = False
    prescale: Array  # [out]
    offset: Array | float
    low: Array | float
    high: Array | float
    constants: tuple[str, ...] = ("offset", "low", "high")

    def __call__(self, acc: Array, factor: Array | float = ONE) -> Array:
        raise NotImplementedError

    def for_rows(self) -> Self:
        """The same for many rows at once."""
        other = copy.copy(self)
        for name in self.constants:
            values = getattr(self, name)
            if (values == values[0]).all():
                setattr(other, name, float(values[0]))
        return other


class Scaled(Tail):
    """The tail with a scalar whose k is at most `k_max`; or without one, when `factor` is 2^15."""

    constants = ("offset", "low", "high", "unit", "half", "pre", "minus_pre")

    def __init__(self, channels: Sequence[Channel], exponent: int, k_max: int) -> None:
        self.bound = max(c.start_max for c in channels)
        self.prescale = _floats(2.0**-c.shift for c in channels)
        self.offset = _floats(c.bias * 2.0**-ops.GUARD_BITS for c in channels)
        self.low, self.high = _floats(c.low for c in channels), _floats(c.high for c in channels)
        self.unit = np.full(len(channels), 2.0 ** -(exponent + ops.GUARD_BITS))
        self.half = np.full(len(channels), 0.5)
        self.pre = np.full(len(channels), float(PRE))
        self.minus_pre = -self.pre
        widest = max(abs(c.bias) for c in channels)
        self.is_deep = PRODUCT_MAX + (widest << max(exponent + k_max, 0)) >= EXACT_MAX

    def __call__(self, acc: Array, factor: Array | float = ONE) -> Array:
        """acc [..., out], overwritten; factor a float, or [..., 1]. Whole float64 [..., out]."""
        acc += self.half
        np.floor(acc, out=acc)
        z = _clip(acc, self.minus_pre, self.pre).astype(DOUBLE, copy=False)
        z *= factor * self.unit
        if self.is_deep:  # one double does not hold product and bias: round before adding
            z *= 2.0**ops.GUARD_BITS
            np.floor(z, out=z)
            z *= 2.0**-ops.GUARD_BITS
        z += self.offset
        np.floor(z, out=z)
        return _clip(z, self.low, self.high)


class Merged(Tail):
    """The tail of a step without scalar, in one floor."""

    EXPONENT_MIN = ops.MANT_BITS - ops.GUARD_BITS  # below, `a` is scaled up

    def __init__(self, channels: Sequence[Channel], exponent: int) -> None:
        drop = exponent - self.EXPONENT_MIN
        carried = [c.bias << drop >> ops.GUARD_BITS for c in channels]  # in units of `a`
        both = list(zip(channels, carried, strict=True))
        self.bound = max(c.start_max + (abs(extra) << c.places) for c, extra in both)
        self.prescale = _floats(2.0 ** -(c.shift + drop) for c in channels)
        self.offset = _floats((extra + 0.5) * 2.0**-drop for extra in carried)
        ends = [_ends(c, (extra - PRE) >> drop, (extra + PRE) >> drop) for c, extra in both]
        self.low, self.high = np.array(ends, DOUBLE).T.copy()

    def __call__(self, acc: Array, factor: Array | float = ONE) -> Array:
        """acc [..., out], overwritten and returned, whole; there is no factor but 2^15."""
        acc += self.offset
        np.floor(acc, out=acc)
        return _clip(acc, self.low, self.high)


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
    other.is_deep = any(tail.is_deep for tail in tails)
    for name in ("prescale", *other.constants):
        setattr(other, name, np.concatenate([getattr(tail, name) for tail in tails]))
    return other


def _floats(values: Iterable[float]) -> Array:
    return np.array(list(values), DOUBLE)


def _ends(channel: Channel, low: int, high: int) -> tuple[int, int]:
    """Two clips, the first to low..high, as one."""
    a, b = channel.low, channel.high
    return min(max(low, a), b), max(min(high, b), a)


def _clip(x: Array, low: Array | float, high: Array | float) -> Array:
    """In place. For a row the two halves cost less than np.clip, for many rows more."""
    if x.ndim > 1:
        return np.clip(x, low, high, out=x)
    np.minimum(x, high, out=x)
    return np.maximum(x, low, out=x)
