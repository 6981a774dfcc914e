"""The integer operations of the machine, each the readable definition of one RTL stage.

Every function takes and returns int64 arrays (or Python ints); a float argument is a TypeError.
`SHR` rounds half up, `FLR` truncates towards minus infinity, `SAT_b` clamps to +-(2^(b-1)-1).
`>>` of NumPy's signed integers is arithmetic. Shapes are free unless said; `docs/numerics.md` has
the same definitions in prose.
"""

from __future__ import annotations

import numpy as np

GUARD_BITS = 4  # fraction bits below the output's unit in which a bias is added
PRE_BITS = 18  # width of a reduced accumulator: one side of the scaling multiplier
MANT_BITS = 15  # fraction bits of rsqrt and reciprocal mantissas
ONE = 1 << MANT_BITS  # the mantissa of a step that has no scalar
ROUND_BIAS = (1 << GUARD_BITS) >> 1  # the rounding half that every bias includes
ACC_BITS_MAX = 48
SHIFT_MAX = 31
EXPONENT_MAX = 63
ROTARY_FRAC = 14
EXP_SHIFT_MAX = 31
GUMBEL_FRAC = 10
TEMPERATURE_SHIFT = 12
SEED_MASK = 0x9E3779B9
SEED_DISCARD = 16

Ints = np.ndarray


def ints(x: Ints | int) -> Ints:
    """`x` as an int64 array; refuses anything that is not integer already."""
    array = np.asarray(x)
    if array.dtype == np.int64:
        return array
    if array.dtype.kind not in "iu" or array.dtype == np.uint64:
        raise TypeError(f"integers expected, got {array.dtype}")
    return array.astype(np.int64)


def limit(bits: int) -> int:
    """The largest magnitude of a symmetric signed format of `bits` bits."""
    return (1 << (bits - 1)) - 1


def shr(x: Ints, shift: Ints | int) -> Ints:
    """SHR: x / 2^shift, halves rounded up; shift 0 is the identity."""
    shift = ints(shift)
    return (ints(x) + ((np.int64(1) << shift) >> 1)) >> shift


def flr(x: Ints, shift: Ints | int) -> Ints:
    """FLR: x / 2^shift rounded towards minus infinity."""
    return ints(x) >> ints(shift)


def sat(x: Ints, bits: int) -> Ints:
    """SAT_b: clamp to +-(2^(bits-1)-1)."""
    top = limit(bits)
    return np.minimum(np.maximum(ints(x), -top), top)


def floor_log2(x: Ints) -> Ints:
    """Position of the leading one of x >= 1 (int64)."""
    powers = np.int64(1) << np.arange(63, dtype=np.int64)
    return np.searchsorted(powers, ints(x), side="right") - 1


def index_bits(cells: int) -> int:
    """Bits of a number of `cells` cells, a power of two."""
    return cells.bit_length() - 1


def norm_scalar(sum_squares: Ints, rsqrt: Ints) -> tuple[Ints, Ints]:
    """(r, k) with 1/rms ~ r * 2^-k: table `rsqrt` [3 * 2^n] read by the leading bits of the sum.

    `sum_squares` is sum(x^2) + eps_int >= 1. Even powers of two only, hence k = log2 // 2.
    """
    s2, n = ints(sum_squares), index_bits(len(rsqrt) // 3)
    k = floor_log2(s2) >> 1
    return ints(rsqrt)[((s2 << n) >> (2 * k)) - (1 << n)], k


def recip_scalar(total: Ints, recip: Ints) -> tuple[Ints, Ints]:
    """(r, k) with 1/total ~ r * 2^(-15-k): table `recip` [2^n]; total >= 1."""
    total, n = ints(total), index_bits(len(recip))
    k = floor_log2(total)
    return ints(recip)[((total << n) >> k) - (1 << n)], k


def reduce_acc(acc: Ints, shift: Ints | int) -> Ints:
    """Accumulator to the 18 bits that the scaling multiplier takes: SAT18(SHR(acc, shift))."""
    return sat(shr(acc, shift), PRE_BITS)


def scale(a: Ints, mantissa: Ints | int, e: Ints | int) -> Ints:
    """The product with the step's scalar in guard units: FLR(a * mantissa, e)."""
    return flr(ints(a) * ints(mantissa), e)


def narrow(y: Ints, bias: Ints | int, bits: int) -> Ints:
    """Add the bias (which includes the rounding half), drop the guard bits, saturate."""
    return sat((ints(y) + ints(bias)) >> GUARD_BITS, bits)


def requantize(
    acc: Ints, shift: Ints | int, mantissa: Ints | int, e: Ints | int, bias: Ints | int, bits: int
) -> Ints:
    """The tail of every matrix step: accumulator to an output of `bits` bits."""
    return narrow(scale(reduce_acc(acc, shift), mantissa, e), bias, bits)


def embed(row: Ints, position_row: Ints | None, bits: int) -> Ints:
    """Token row [..., D] plus position row, in the residual's format of `bits` bits."""
    return ints(row) if position_row is None else residual_add(row, position_row, bits)


def residual_add(x: Ints, z: Ints, bits: int) -> Ints:
    """SAT_bits(x + z)."""
    return sat(ints(x) + ints(z), bits)


def relu(z: Ints) -> Ints:
    """max(z, 0)."""
    return np.maximum(ints(z), 0)


def gelu(z: Ints, bump: Ints, bump_shift: int) -> Ints:
    """ReLU minus the even bump relu(x) - gelu(x), from a table over |z|; SiLU the same."""
    z = ints(z)
    cell = np.minimum(np.abs(z) >> bump_shift, len(bump) - 1)
    return np.maximum(z, 0) - ints(bump)[cell]


def lift(h: Ints, zero: int, bits: int) -> Ints:
    """The hidden layer's unsigned code of h >= -zero: min(h + zero, 2^bits - 1)."""
    return np.minimum(ints(h) + zero, (1 << bits) - 1)


def gated(gate: Ints, up: Ints, shift: int, bits: int) -> Ints:
    """SwiGLU's hidden layer: SAT_b(SHR(gate * up, shift)), gate after its activation."""
    return sat(shr(ints(gate) * ints(up), shift), bits)


def rotate(z: Ints, cos: Ints, sin: Ints, bits: int) -> Ints:
    """Rotary positions on adjacent pairs; z [..., d_head], cos and sin [..., d_head/2] in Q1.14."""
    z = ints(z)
    even, odd = z[..., 0::2], z[..., 1::2]
    out = np.empty_like(z)
    out[..., 0::2] = sat(shr(even * cos - odd * sin, ROTARY_FRAC), bits)
    out[..., 1::2] = sat(shr(even * sin + odd * cos, ROTARY_FRAC), bits)
    return out


def exp2_negative(d: Ints, exp2: Ints) -> Ints:
    """2^-d for d >= 0 in units of 1/len(exp2) octave; `exp2` holds one octave."""
    d, frac_bits = ints(d), len(exp2).bit_length() - 1
    whole = np.minimum(d >> frac_bits, EXP_SHIFT_MAX)
    return shr(ints(exp2)[d & (len(exp2) - 1)], whole)


def softmax_probs(scores: Ints, exp2: Ints) -> Ints:
    """Unnormalised probabilities [..., t] of base-2 scores [..., t]."""
    scores = ints(scores)
    return exp2_negative(scores.max(axis=-1, keepdims=True) - scores, exp2)


def seed_state(seed: int) -> int:
    """The generator's state at the start of a request."""
    state = (seed ^ SEED_MASK) & 0xFFFFFFFF or SEED_MASK
    for _ in range(SEED_DISCARD):
        state = next_state(state)
    return state


def next_state(state: int) -> int:
    """One step of Marsaglia's xorshift32 (13, 17, 5); never reaches 0."""
    state ^= (state << 13) & 0xFFFFFFFF
    state ^= state >> 17
    return state ^ ((state << 5) & 0xFFFFFFFF)


def gumbel_index(state: Ints) -> Ints:
    """Cell 0..1023 of a uniform 32-bit draw (> 0): octave below 1, then 64 cells an octave."""
    v = ints(state)
    zeros = np.minimum(31 - floor_log2(v), 15)
    frac = (((v << (zeros + 1)) & 0xFFFFFFFF) >> 26) & 63
    return zeros * 64 + frac


def noise_values(states: Ints, gumbel: Ints, temperature: int) -> Ints:
    """Gumbel noise in logit units: SHR(gumbel * temperature, 12)."""
    return shr(ints(gumbel)[gumbel_index(states)] * temperature, TEMPERATURE_SHIFT)


def draw_noise(state: int, count: int, gumbel: Ints, temperature: int) -> tuple[Ints, int]:
    """Noise for logits 0..count-1, one draw each in order, and the state after the last."""
    states = np.empty(count, np.int64)
    for index in range(count):
        state = next_state(state)
        states[index] = state
    return noise_values(states, gumbel, temperature), state


def argmax(scores: Ints) -> int:
    """Index of the largest score; the lowest index among equals."""
    return int(ints(scores).argmax())
