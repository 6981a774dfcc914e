"""Every table of the integer model, made once here and carried by the artefact.

The formulas are those of `docs/numerics.md`; the tests recompute each entry in decimal arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from quant.ops import GUMBEL_FRAC, MANT_BITS, ROTARY_FRAC

INDEX_BITS = 7  # of the mantissa, in the tables of 1/sqrt and 1/x
CELL_BITS = 8  # of the magnitude, in the table of GELU or SiLU
GUMBEL_OCTAVES = 16
GUMBEL_SIZE = GUMBEL_OCTAVES * 64
ROTARY_BASE = 10000.0


def _rounded(values: list[float]) -> np.ndarray:
    return np.array([math.floor(value + 0.5) for value in values], np.int64)


def norm_octave(d_model: int) -> int:
    """z with sqrt(d_model) * 2^-z in (1/2, 1]: ceil(log2(d_model) / 2)."""
    return ((d_model - 1).bit_length() + 1) // 2


def rsqrt_table(d_model: int, bits: int = INDEX_BITS) -> np.ndarray:
    """[3n] u16, n = 2^bits: 2^15 * sqrt(d_model) * 2^-z / sqrt(1 + (i + 1/2) / n)."""
    c, n = math.sqrt(d_model) * 2.0 ** -norm_octave(d_model), 1 << bits
    return _rounded([2**MANT_BITS * c / math.sqrt(1 + (i + 0.5) / n) for i in range(3 * n)])


def recip_table(bits: int = INDEX_BITS) -> np.ndarray:
    """[n] u16, n = 2^bits: 2^15 / (1 + (i + 1/2) / n)."""
    n = 1 << bits
    return _rounded([2**MANT_BITS / (1 + (i + 0.5) / n) for i in range(n)])


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


def bump_shift(bits: int, frac: int, reach: int = 4, cell_bits: int = CELL_BITS) -> int:
    """Least shift whose 2^cell_bits cells cover `reach` real, or all magnitudes of the format."""
    codes = min(reach << frac if frac >= 0 else 1, 1 << (bits - 1))
    return max(0, (codes - 1).bit_length() - cell_bits)


def bump_table(
    frac: int,
    shift: int,
    function: Callable[[float], float] = gelu,
    cell_bits: int = CELL_BITS,
) -> np.ndarray:
    """[2^cell_bits] in hidden units: relu(x) - function(x) in the middle of a cell's 2^shift codes.

    Cell 0 is 0, so that function(0) = 0: lanes that pad a tile stay 0.
    """
    values = [0.0]
    for i in range(1, 1 << cell_bits):
        x = (i * 2**shift + (2**shift - 1) / 2) * 2.0**-frac
        values.append((x - function(x)) * 2.0**frac)
    return _rounded(values)


def activation_table(
    bits: int, frac: int, kind: Bump, cell_bits: int = CELL_BITS
) -> tuple[int, np.ndarray]:
    """Shift and table for the activation of codes of `bits` bits; how far it goes below 0 is the
    largest entry."""
    shift = bump_shift(bits, frac, kind.reach, cell_bits)
    return shift, bump_table(frac, shift, kind.function, cell_bits)


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
