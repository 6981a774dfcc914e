"""Each operation of `quant.ops` through APyFixed: another library's arithmetic and rounding.

APyFixed computes with whole and fraction bits of any width; it rounds and saturates only in `cast`,
by named modes. Nothing here shifts or adds a half: a value is a number with a binary point, SHR is
"nearest, ties towards plus infinity" (RND), FLR is truncation (TRN), and saturation is SAT.

A check takes the operation, so that it can be given a wrong one too (the last test). Small widths
are checked exhaustively, large ones at their ends and at random; a failure prints the seed, and
COCOTB_RANDOM_SEED=<seed> repeats it.
"""

from __future__ import annotations

import itertools
import os
import secrets
from collections.abc import Callable, Iterable

import numpy as np
import pytest
from apytypes import APyFixedArray, OverflowMode, QuantizationMode

from quant import ops, tables

RND, TRN = QuantizationMode.RND, QuantizationMode.TRN
SAT = OverflowMode.SAT
WORD = 64
SEED = int(os.environ.get("COCOTB_RANDOM_SEED") or secrets.randbits(32))
Op = Callable


# -- in and out of fixed point -------------------------------------------------------------------
def fixed(values: Iterable[int], frac_bits: int = 0) -> APyFixedArray:
    """Integers as numbers with `frac_bits` places."""
    patterns = [int(value) for value in values]
    return APyFixedArray(patterns, bits=WORD + frac_bits, frac_bits=frac_bits)


def codes(x: APyFixedArray) -> np.ndarray:
    """The stored integers, int64."""
    wide = x.cast(int_bits=WORD - x.frac_bits, frac_bits=x.frac_bits)
    return np.array(wide.to_bits(), np.uint64).astype(np.int64)


def to_integer(x: APyFixedArray, mode: QuantizationMode) -> APyFixedArray:
    return x.cast(int_bits=WORD, frac_bits=0, quantization=mode, overflow=SAT)


def saturated(x: APyFixedArray, bits: int) -> APyFixedArray:
    """Within +-(2^(bits-1) - 1): two's complement saturates to one more below, so once each way."""
    once = x.cast(int_bits=bits, frac_bits=0, quantization=TRN, overflow=SAT)
    return -(-once).cast(int_bits=bits, frac_bits=0, overflow=SAT)


def same(got: object, want: APyFixedArray | Iterable[int], about: object = "") -> None:
    wanted = codes(want) if isinstance(want, APyFixedArray) else np.array(list(want), np.int64)
    assert np.array_equal(np.asarray(got), wanted), f"{about}, seed {SEED}"


# -- values ---------------------------------------------------------------------------------------
def random(bits: int, count: int, *, signed: bool = True, least: int = 0) -> np.ndarray:
    """Integers of a width: of all magnitudes, and the ends."""
    rng = np.random.default_rng([SEED, bits, count])
    top = 2 ** (bits - signed)
    sizes = rng.uniform(0, bits - signed, count)
    values = np.minimum(2.0**sizes * rng.uniform(0.5, 1, count), top - 1).astype(np.int64)
    if signed:
        values *= rng.choice([-1, 1], count)
    ends = [top - 1, top // 2, 1, 0] + signed * [-top, 1 - top, -1]
    return np.maximum(np.concatenate([values, np.array(ends, np.int64)]), -top if signed else least)


def everything(bits: int) -> np.ndarray:
    return np.arange(-(2 ** (bits - 1)), 2 ** (bits - 1))


# -- the checks -----------------------------------------------------------------------------------
def check_shr(op: Op, mode: QuantizationMode = RND, shift_max: int = 31) -> None:
    for x, shifts in ((everything(10), range(13)), (random(47, 200), range(shift_max + 1))):
        for shift in shifts:
            same(op(x, shift), to_integer(fixed(x) >> shift, mode), shift)


def check_flr(op: Op) -> None:
    check_shr(op, TRN, 63)


def check_sat(op: Op) -> None:
    for bits in range(2, 9):
        same(op(everything(11), bits), saturated(fixed(everything(11)), bits), bits)
    for bits in (9, 12, 16, 18):
        same(op(random(40, 300), bits), saturated(fixed(random(40, 300)), bits), bits)


def requantized(acc: np.ndarray, shift: int, m: int, e: int, bias: int, bits: int) -> APyFixedArray:
    """`ops.requantize` as numbers: acc / 2^shift, times m / 2^e, plus bias, over 16."""
    a = saturated(to_integer(fixed(acc) >> shift, RND), ops.PRE_BITS)
    y = to_integer((a * fixed([m])) >> e, TRN) + fixed([bias])
    return saturated(to_integer(y >> ops.GUARD_BITS, TRN), bits)


def check_requantize(op: Op) -> None:
    small = itertools.product((0, 1, 3), (1, 5, 32768), (0, 4, 15), (-9, 8), (3, 6))
    for case in small:
        same(op(everything(8), *case), requantized(everything(8), *case), case)
    rng = np.random.default_rng(SEED)
    for shift, e, bits in itertools.product((0, 2, 9, 31), (0, 11, 24, 63), (2, 8, 12, 16)):
        m, bias = int(rng.integers(1, 2**15 + 1)), int(rng.integers(-(2**31), 2**31))
        for case in ((shift, m, e, bias, bits), (shift, m, e, bias >> 16, bits)):
            same(op(random(47, 60), *case), requantized(random(47, 60), *case), case)


def check_residual_add(op: Op) -> None:
    pairs = np.array(list(itertools.product(everything(6), repeat=2))).T
    same(op(*pairs, 6), saturated(fixed(pairs[0]) + fixed(pairs[1]), 6))
    x, z = random(16, 500), random(16, 501)[:507]
    for bits in (12, 16):
        same(op(x, z, bits), saturated(fixed(x) + fixed(z), bits), bits)


def logarithm(x: APyFixedArray) -> np.ndarray:
    """Position of the leading one, by counting zeros above it."""
    return x.bits - 1 - np.asarray(x.leading_zeros)


def check_floor_log2(op: Op) -> None:
    for x in (np.arange(1, 5000), random(62, 500, signed=False, least=1)):
        same(op(x), logarithm(fixed(x)))


def check_scalar(op: Op, octaves: int, table: np.ndarray) -> None:
    """Table cell: the sum over 2^(octaves * k), cut to places that the table has, less 1."""
    places = int(np.log2(len(table) / (2**octaves - 1)))
    sums = [np.arange(1, 3000), random(46, 500, signed=False, least=1)]
    for total in sums:
        k = logarithm(fixed(total)) // octaves
        cells = np.empty(len(total), np.int64)
        for shift in np.unique(k):
            scaled = fixed(total[k == shift]) >> int(octaves * shift)
            cut = scaled.cast(int_bits=WORD - places, frac_bits=places, quantization=TRN)
            cut -= fixed([1])
            cells[k == shift] = codes(cut)
        r, got_k = op(total, table)
        same(got_k, k)
        same(r, table[cells])


def check_norm_scalar(op: Op) -> None:
    check_scalar(op, 2, np.arange(1000, 1192))
    for bits in (4, 6, 8):
        check_scalar(op, 2, tables.rsqrt_table(64, bits))


def check_recip_scalar(op: Op) -> None:
    check_scalar(op, 1, np.arange(2000, 2064))
    for bits in (4, 6, 8):
        check_scalar(op, 1, tables.recip_table(bits))


def check_rotate(op: Op) -> None:
    """cos and sin are numbers of 14 places; the turned pair is rounded to none."""
    small = np.array(list(itertools.product(everything(5), repeat=2)))
    large = np.stack([random(16, 200), random(16, 201)[:207]], axis=1)
    angles = ((16384, 0), (0, -16384), (11585, 11585), (-16384, 3), (16383, -5), (8192, 8191))
    for (z, bits), (cos, sin) in itertools.product(((small, 5), (large, 12), (large, 16)), angles):
        even, odd = fixed(z[:, 0]), fixed(z[:, 1])
        c, s = (fixed([angle], ops.ROTARY_FRAC) for angle in (cos, sin))
        turned = op(z, np.array([cos]), np.array([sin]), bits)
        same(turned[:, 0], saturated(to_integer(even * c - odd * s, RND), bits), (cos, sin))
        same(turned[:, 1], saturated(to_integer(even * s + odd * c, RND), bits), (cos, sin))


def power(d: np.ndarray, exp2: np.ndarray) -> APyFixedArray:
    """2^-d of distances in units of 1 / len(exp2): whole part a shift, fraction a table cell."""
    places = len(exp2).bit_length() - 1
    distance = fixed(d, places)
    whole = to_integer(distance, TRN)
    cells = codes(distance - whole)
    shifts = codes(whole.cast(int_bits=6, frac_bits=0, overflow=SAT))  # at most 31
    result = np.empty(len(d), np.int64)
    for shift in np.unique(shifts):
        here = shifts == shift
        result[here] = codes(to_integer(fixed(exp2[cells[here]]) >> int(shift), RND))
    return fixed(result)


def check_exp2_negative(op: Op) -> None:
    for places, prob_bits in ((2, 6), (5, 12), (8, 15)):
        exp2 = tables.exp2_table(places, prob_bits)
        d = np.concatenate([np.arange(5000), random(17, 300, signed=False)])
        same(op(d, exp2), power(d, exp2), places)


def check_softmax_probs(op: Op) -> None:
    exp2 = tables.exp2_table(5, 12)
    rows = np.stack([random(16, 60) // scale for scale in (1, 16, 256, 4096)])
    for row, got in zip(rows, op(rows, exp2), strict=True):
        scores = fixed(row)
        largest = APyFixedArray([scores.max().to_bits()], bits=WORD, frac_bits=0)
        same(got, power(codes(largest - scores), exp2))


def check_relu(op: Op) -> None:
    z = fixed(everything(12))
    same(op(everything(12)), to_integer((z + abs(z)) >> 1, TRN))


def check_gelu(op: Op) -> None:
    """The table's cell: |z| / 2^shift, cut, of at most 255."""
    z = fixed(everything(12))
    for shift, bits in ((0, 8), (2, 8), (5, 8), (3, 4), (0, 10)):
        bump = tables.bump_table(8, shift, cell_bits=bits)
        cells = to_integer(abs(z) >> shift, TRN).cast(int_bits=bits + 1, frac_bits=0, overflow=SAT)
        same(
            op(everything(12), bump, shift),
            to_integer((z + abs(z)) >> 1, TRN) - fixed(bump[codes(cells)]),
            shift,
        )


def check_lift(op: Op) -> None:
    """Saturated to unsigned codes: once more to signed ones of a bit more."""
    for zero, bits in itertools.product((0, 1, 11, 200), (8, 12)):
        h = np.arange(-zero, 2 ** (bits + 1))
        top = (fixed(h) + fixed(np.full(len(h), zero))).cast(
            int_bits=bits + 1, frac_bits=0, quantization=TRN, overflow=SAT
        )
        same(op(h, zero, bits), top, (zero, bits))


def check_gated(op: Op) -> None:
    pairs = np.array(list(itertools.product(everything(5), repeat=2))).T
    wide = random(16, 300), random(16, 301)[:307]
    for (gate, up), shift, bits in itertools.product((pairs, wide), (0, 1, 4, 13), (5, 16)):
        product = to_integer((fixed(gate) * fixed(up)) >> shift, RND)
        same(op(gate, up, shift, bits), saturated(product, bits), (shift, bits))


def check_gumbel_index(op: Op) -> None:
    """Octave below 1 of v / 2^32, and six places of what is left of it within the octave."""
    v = np.concatenate([np.arange(1, 3000), 2**32 - np.arange(1, 50)])
    v = np.concatenate([v, random(32, 2000, signed=False, least=1)])
    zeros = np.minimum(31 - logarithm(fixed(v)), 15)
    want = np.empty(len(v), np.int64)
    for z in np.unique(zeros):
        here = zeros == z
        scaled = (fixed(v[here]) >> int(31 - z)).cast(int_bits=40, frac_bits=6, quantization=TRN)
        want[here] = 64 * z + codes(scaled - to_integer(scaled, TRN))
    same(op(v), want)


def check_noise_values(op: Op) -> None:
    gumbel, v = tables.gumbel_table(), random(32, 500, signed=False, least=1)
    for temperature in (1, 777, 4096, 65535):
        noise = fixed(gumbel[ops.gumbel_index(v)]) * fixed([temperature])
        want = to_integer(noise >> ops.TEMPERATURE_SHIFT, RND)
        same(op(v, gumbel, temperature), want, temperature)


CHECKS: dict[str, Op] = {
    name.removeprefix("check_"): check
    for name, check in list(globals().items())
    if name.startswith("check_") and name != "check_scalar"
}
# Compositions of the operations above, and bits without arithmetic (`tests/quant/test_ops.py`).
NOT_HERE = {
    "ints", "limit", "index_bits", "reduce_acc", "scale", "narrow", "embed",
    "seed_state", "next_state", "draw_noise", "argmax",
}  # fmt: skip


@pytest.mark.parametrize("name", CHECKS)
def test_an_operation(name: str) -> None:
    CHECKS[name](getattr(ops, name))


def test_every_operation_is_checked() -> None:
    functions = {
        name for name, value in vars(ops).items() if getattr(value, "__module__", "") == "quant.ops"
    }
    assert functions == set(CHECKS) | NOT_HERE


Ints = np.ndarray


def late_bias(acc: Ints, shift: int, m: int, e: int, bias: int, bits: int) -> Ints:
    """`requantize` with the guard bits dropped before the bias is added."""
    y = ops.flr(ops.reduce_acc(acc, shift) * m, e)
    return ops.sat((y >> ops.GUARD_BITS) + (bias >> ops.GUARD_BITS), bits)


def unlimited(acc: Ints, shift: int, m: int, e: int, bias: int, bits: int) -> Ints:
    """`requantize` without the first saturation."""
    return ops.narrow(ops.scale(ops.shr(acc, shift), m, e), bias, bits)


def rounded_twice(acc: Ints, shift: int, m: int, e: int, bias: int, bits: int) -> Ints:
    """`requantize` with the product rounded instead of cut."""
    return ops.narrow(ops.shr(ops.reduce_acc(acc, shift) * m, min(e, 62)), bias, bits)


def coarse_cell(total: Ints, table: Ints) -> tuple[Ints, Ints]:
    """`norm_scalar` that shifts down before it shifts up."""
    k = ops.floor_log2(total) >> 1
    return table[((total >> 2 * k) << 6) - 64], k


def nearest_cell(total: Ints, table: Ints) -> tuple[Ints, Ints]:
    """`recip_scalar` that takes the nearest cell instead of the one below."""
    k = ops.floor_log2(total)
    return table[np.minimum(ops.shr(total << 6, k) - 64, 63)], k


def turned(z: Ints, cos: Ints, sin: Ints, bits: int) -> Ints:
    """`rotate` with each product rounded."""
    even, odd = z[:, 0::2], z[:, 1::2]
    a = ops.shr(even * cos, 14) - ops.shr(odd * sin, 14)
    return ops.sat(np.stack([a[:, 0], ops.shr(even * sin + odd * cos, 14)[:, 0]], axis=1), bits)


WRONG: list[tuple[str, Op]] = [
    ("shr", lambda x, s: np.rint(x / 2.0**s).astype(np.int64)),  # halves to even
    ("shr", lambda x, s: x >> s),
    ("shr", lambda x, s: np.sign(x) * ops.shr(np.abs(x), s)),  # halves away from zero
    ("flr", lambda x, s: np.sign(x) * (np.abs(x) >> s)),
    ("sat", lambda x, bits: np.clip(x, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)),
    ("requantize", late_bias),
    ("requantize", unlimited),
    ("requantize", rounded_twice),
    ("residual_add", lambda x, z, bits: ops.sat(x, bits) + ops.sat(z, bits)),
    ("floor_log2", lambda x: np.log2(x).astype(np.int64)),
    ("norm_scalar", coarse_cell),
    ("recip_scalar", nearest_cell),
    ("rotate", turned),
    ("rotate", lambda z, cos, sin, bits: ops.rotate(z, cos, -sin, bits)),
    ("exp2_negative", lambda d, t: t[d % len(t)] >> np.minimum(d // len(t), 31)),
    ("exp2_negative", lambda d, t: ops.shr(t[d % len(t)], np.minimum(d // len(t), 7))),
    ("softmax_probs", lambda x, t: ops.exp2_negative(np.abs(x[:, :1] - x), t)),
    ("relu", np.abs),
    ("gelu", lambda z, t, s: np.maximum(z, 0) - t[np.minimum(np.abs(z >> s), 255)]),
    ("lift", lambda h, zero, bits: np.minimum(h, 2**bits - 1) + zero),
    ("lift", lambda h, zero, bits: (h + zero) & (2**bits - 1)),
    ("gated", lambda gate, up, s, bits: ops.sat(gate * up >> s, bits)),
    ("gumbel_index", lambda v: ops.gumbel_index(np.maximum(v, 2**16))),
    ("noise_values", lambda v, t, register: t[ops.gumbel_index(v)] * register >> 12),
]


@pytest.mark.parametrize(("name", "wrong"), WRONG)
def test_a_wrong_operation_is_found(name: str, wrong: Op) -> None:
    CHECKS[name](getattr(ops, name))
    with pytest.raises(AssertionError, match="seed"):
        CHECKS[name](wrong)
