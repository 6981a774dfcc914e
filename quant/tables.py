"""Every table of the integer model, made once here and carried by the artefact.

The formulas are those of `docs/numerics.md`; the tests recompute each entry in decimal arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from quant.ops import GUMBEL_FRAC, MANT_BITS, ROTARY_FRAC

RSQRT_SIZE = 192
RECIP_SIZE = 64
GUMBEL_OCTAVES = 16
GUMBEL_SIZE = GUMBEL_OCTAVES * 64
BUMP_SIZE = 256
ROTARY_BASE = 10000.0


def _rounded(values: list[float]) -> np.ndarray:
    return np.array([math.floor(value + 0.5) for value in values], np.int64)


def norm_octave(d_model: int) -> int:
    """z with sqrt(d_model) * 2^-z in (1/2, 1]: ceil(log2(d_model) / 2)."""
    return ((d_model - 1).bit_length() + 1) // 2


def rsqrt_table(d_model: int) -> np.ndarray:
    """[192] u16: 2^15 * sqrt(d_model) * 2^-z / sqrt(1 + (i + 1/2) / 64)."""
    c = math.sqrt(d_model) * 2.0 ** -norm_octave(d_model)
    return _rounded([2**MANT_BITS * c / math.sqrt(1 + (i + 0.5) / 64) for i in range(RSQRT_SIZE)])


def recip_table() -> np.ndarray:
    """[64] u16: 2^15 / (1 + (i + 1/2) / 64)."""
    return _rounded([2**MANT_BITS / (1 + (i + 0.5) / 64) for i in range(RECIP_SIZE)])


def exp2_table(frac_bits: int, prob_bits: int) -> np.ndarray:
    """[2^frac_bits] unsigned, prob_bits wide: (2^prob_bits - 1) * 2^(-f / 2^frac_bits)."""
    size = 1 << frac_bits
    return _rounded([((1 << prob_bits) - 1) * 2.0 ** (-f / size) for f in range(size)])


def gumbel_table() -> np.ndarray:
    """[1024] s16 Q5.10: -ln(-ln(1 - u)) with u = 2^-(z+1) * (1 + (frac + 1/2) / 64)."""
    values = []
    for z in range(GUMBEL_OCTAVES):
        for frac in range(64):
            u = 2.0 ** -(z + 1) * (1 + (frac + 0.5) / 64)
            values.append(2**GUMBEL_FRAC * -math.log(-math.log1p(-u)))
    return _rounded(values)


def gelu(x: float) -> float:
    """GELU in the tanh form that the float model has (arXiv 1606.08415)."""
    return 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def gelu_exact(x: float) -> float:
    """GELU as it is defined: x Phi(x)."""
    return 0.5 * x * (1 + math.erf(x / math.sqrt(2)))


def silu(x: float) -> float:
    """x / (1 + e^-x) (arXiv 1702.03118)."""
    return x / (1 + math.exp(-x))


class Bump(NamedTuple):
    """An activation whose difference from ReLU is even, and where that has become small."""

    function: Callable[[float], float]
    reach: int


BUMPS = {
    "gelu": Bump(gelu, 4),
    "gelu_exact": Bump(gelu_exact, 4),
    "silu": Bump(silu, 8),
    "swiglu": Bump(silu, 8),
}


def bump_shift(bits: int, frac: int, reach: int = 4) -> int:
    """Smallest shift whose 256 cells cover `reach` real, or all magnitudes of the format."""
    codes = min(reach << frac if frac >= 0 else 1, 1 << (bits - 1))
    return max(0, (codes - 1).bit_length() - 8)


def bump_table(frac: int, shift: int, function: Callable[[float], float] = gelu) -> np.ndarray:
    """[256] in hidden units: relu(x) - function(x) in the middle of the 2^shift codes of a cell.

    Cell 0 is 0, so that function(0) = 0: lanes that pad a tile stay 0.
    """
    values = [0.0]
    for i in range(1, BUMP_SIZE):
        x = (i * 2**shift + (2**shift - 1) / 2) * 2.0**-frac
        values.append((x - function(x)) * 2.0**frac)
    return _rounded(values)


def depth(bits: int, frac: int, kind: Bump) -> int:
    """How far the activation of codes of `bits` bits goes below 0, in their unit."""
    return int(bump_table(frac, bump_shift(bits, frac, kind.reach), kind.function).max())


def rotary_tables(context: int, d_head: int) -> tuple[np.ndarray, np.ndarray]:
    """cos and sin, each [context, d_head / 2] in Q1.14: angle = pos * 10000^(-2j / d_head)."""
    one = 1 << ROTARY_FRAC
    angles = [
        [pos * ROTARY_BASE ** (-2 * j / d_head) for j in range(d_head // 2)]
        for pos in range(context)
    ]
    cos = np.array([_rounded([one * math.cos(a) for a in row]) for row in angles])
    sin = np.array([_rounded([one * math.sin(a) for a in row]) for row in angles])
    return cos, sin
