"""Each operation against plain Python integers: everything on small widths, random on large."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from quant import ops
from tests.quant import plain

SEED = 20
WIDE = [0, 1, 2, 3, 7, 8, 31]


def same(got: np.ndarray, want: list) -> None:
    """Integers, and all of them equal."""
    got = np.asarray(got)
    assert got.dtype == np.int64
    assert got.tolist() == want


def extremes(rng: np.random.Generator, bits: int, count: int) -> list[int]:
    """Corners of a signed width, and random values of all magnitudes."""
    top = 2 ** (bits - 1)
    corners = [0, 1, -1, top - 1, -top, top // 2, -top // 2, top // 2 - 1]
    sizes = rng.integers(1, bits, count)
    return corners + [int(rng.integers(-(2 ** int(n)), 2 ** int(n))) for n in sizes]


@pytest.mark.parametrize("shift", range(8))
def test_shr_and_flr_on_all_8_bit_values(shift: int) -> None:
    x = list(range(-128, 128))
    same(ops.shr(np.array(x), shift), [plain.shr(v, shift) for v in x])
    same(ops.flr(np.array(x), shift), [plain.flr(v, shift) for v in x])


def test_shr_and_flr_on_48_bits() -> None:
    x = extremes(np.random.default_rng(SEED), 48, 500)
    for shift in WIDE:
        same(ops.shr(np.array(x), shift), [plain.shr(v, shift) for v in x])
    for shift in (*WIDE, 48, 62, 63):
        same(ops.flr(np.array(x), shift), [plain.flr(v, shift) for v in x])


def test_shr_rounds_half_up_and_is_the_identity_at_0() -> None:
    same(ops.shr(np.array([-3, -1, 1, 3]), 1), [-1, 0, 1, 2])
    same(ops.shr(np.array([-3, 5]), 0), [-3, 5])


@pytest.mark.parametrize("bits", range(2, 9))
def test_sat_is_symmetric(bits: int) -> None:
    x = list(range(-300, 301))
    same(ops.sat(np.array(x), bits), [plain.sat(v, bits) for v in x])


@pytest.mark.parametrize("shift", [0, 1, 5])
def test_gated_on_all_6_bit_pairs(shift: int) -> None:
    pairs = list(itertools.product(range(-31, 32), repeat=2))
    gate, up = np.array(pairs).T
    same(ops.gated(gate, up, shift, 6), [plain.sat(plain.shr(a * b, shift), 6) for a, b in pairs])


def test_floats_are_refused() -> None:
    for function in (lambda x: ops.shr(x, 1), lambda x: ops.sat(x, 8), ops.relu, ops.argmax):
        with pytest.raises(TypeError, match="integers expected"):
            function(np.array([1.0, 2.0]))


def test_floor_log2() -> None:
    x = list(range(1, 5000)) + [2**n + d for n in range(2, 62) for d in (-1, 0, 1)]
    same(ops.floor_log2(np.array(x)), [plain.log2(v) for v in x])


def test_norm_scalar_on_all_small_sums_and_large_ones() -> None:
    table = np.arange(1000, 1192)
    rng = np.random.default_rng(SEED)
    x = list(range(1, 1 << 13)) + [2**n + d for n in range(3, 47) for d in (-1, 0, 1)]
    x += [int(rng.integers(1, 2 ** int(n))) for n in rng.integers(1, 47, 2000)]
    want = [plain.norm_scalar(v, table.tolist()) for v in x]
    r, k = ops.norm_scalar(np.array(x), table)
    same(np.stack([r, k], axis=1), [list(pair) for pair in want])


def test_recip_scalar_on_all_small_sums_and_large_ones() -> None:
    table = np.arange(64) + 7
    x = list(range(1, 1 << 13)) + [2**n + d for n in range(3, 40) for d in (-1, 0, 1)]
    want = [plain.recip_scalar(v, table.tolist()) for v in x]
    r, k = ops.recip_scalar(np.array(x), table)
    same(np.stack([r, k], axis=1), [list(pair) for pair in want])


def test_requantize_on_all_small_values() -> None:
    acc = list(range(-70, 71))
    for shift, m, e, bias in itertools.product((0, 1, 3), (1, 5, 32768), (0, 4, 15), (-9, 8)):
        got = ops.requantize(np.array(acc), shift, m, e, bias, 5)
        same(got, [plain.requantize(v, shift, m, e, bias, 5) for v in acc])


def test_requantize_on_wide_values() -> None:
    rng = np.random.default_rng(SEED)
    for shift, e, bits in itertools.product((0, 5, 31), (0, 9, 30, 63), (2, 8, 12, 16)):
        acc = extremes(rng, 47, 40)
        m = rng.integers(1, 32769, len(acc)).tolist()
        bias = rng.integers(-(2**31), 2**31, len(acc)).tolist()
        rows = zip(acc, m, bias, strict=True)
        got = ops.requantize(np.array(acc), shift, np.array(m), e, np.array(bias), bits)
        same(got, [plain.requantize(v, shift, mm, e, b, bits) for v, mm, b in rows])


def test_embed_and_residual_add_saturate() -> None:
    rng = np.random.default_rng(SEED)
    for bits in (12, 16):
        top = 2 ** (bits - 1) - 1
        a, b = rng.integers(-top, top + 1, (2, 2000))
        want = [plain.sat(x + y, bits) for x, y in zip(a.tolist(), b.tolist(), strict=True)]
        same(ops.residual_add(a, b, bits), want)
        same(ops.embed(a, b, bits), want)
        same(ops.embed(a.astype(np.int16), None, bits), a.tolist())


@pytest.mark.parametrize("shift", [0, 2, 3])
def test_gelu_on_all_12_bit_values(shift: int) -> None:
    bump = np.random.default_rng(SEED).integers(0, 100, 256)
    z = list(range(-2047, 2048))
    want = [plain.gelu(v, bump.tolist(), shift) for v in z]
    same(ops.gelu(np.array(z), bump, shift), want)
    same(ops.relu(np.array(z)), [max(v, 0) for v in z])


def test_rotate_on_all_pairs_of_5_bits() -> None:
    pairs = [list(pair) for pair in itertools.product(range(-15, 16), repeat=2)]
    for cos, sin in ((16384, 0), (0, 16384), (11585, -11585), (-16384, 0), (3, 16383)):
        want = [plain.rotate(pair, [cos], [sin], 5) for pair in pairs]
        same(ops.rotate(np.array(pairs), np.array([cos]), np.array([sin]), 5), want)


def test_rotate_keeps_pairs_apart() -> None:
    rng = np.random.default_rng(SEED)
    z, cos, sin = rng.integers(-2047, 2048, 8), *rng.integers(-16384, 16385, (2, 4))
    want = plain.rotate(z.tolist(), cos.tolist(), sin.tolist(), 12)
    same(ops.rotate(z, cos, sin, 12), want)


@pytest.mark.parametrize(("frac_bits", "prob_bits"), [(2, 6), (5, 12), (8, 15)])
def test_exp2_on_all_distances(frac_bits: int, prob_bits: int) -> None:
    rng = np.random.default_rng(SEED)
    exp2 = rng.integers(1, 2**prob_bits, 2**frac_bits)
    d = [*range(33 << frac_bits), 65534]
    same(ops.exp2_negative(np.array(d), exp2), [plain.probability(v, exp2.tolist()) for v in d])
    scores = rng.integers(-40, 40, (3, 7))
    want = [
        [plain.probability(max(row) - t, exp2.tolist()) for t in row] for row in scores.tolist()
    ]
    same(ops.softmax_probs(scores, exp2), want)


def test_generator_and_cells() -> None:
    assert plain.start_state(0x9E3779B9) == ops.seed_state(0x9E3779B9) != 0
    rng = np.random.default_rng(SEED)
    draws = [1, 2, 63, 2**16, 2**16 - 1, 2**17 - 1, 2**31, 2**32 - 1]
    for seed in (0, 1, 2**32 - 1, *rng.integers(0, 2**32, 20).tolist()):
        assert ops.seed_state(seed) == plain.start_state(seed)
        state = ops.seed_state(seed)
        for _ in range(100):
            assert ops.next_state(state) == plain.xorshift(state)
            state = ops.next_state(state)
            draws.append(state)
    draws += [2**n + int(rng.integers(2**n)) for n in range(32) for _ in range(20)]
    same(ops.gumbel_index(np.array(draws)), [plain.gumbel_index(v) for v in draws])


def test_argmax_takes_the_lowest_of_equals() -> None:
    assert ops.argmax(np.array([3, 9, 9, 1])) == 1


def test_the_comparison_itself_can_fail() -> None:
    with pytest.raises(AssertionError):
        same(ops.shr(np.array([5, 6]), 1), [3, 4])
    with pytest.raises(AssertionError):
        same(np.array([1.0]), [1])
