"""Whole floats against the operations of `quant.ops`, also where their exactness ends."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from quant import exact, ops
from quant.qmodel import Linear
from quant.step import Step, cached
from quant.tail import Channel, Columns, Merged, Scaled, Tail, beside, tail

SEED = 31


def wide(rng: np.random.Generator, top: int, count: int) -> np.ndarray:
    """Integers of all magnitudes up to +-top, both ends and 0 among them."""
    sizes = 2.0 ** rng.uniform(0, np.log2(top), count)
    values = (rng.uniform(-1, 1, count) * sizes).astype(np.int64)
    return np.concatenate([values, [0, 1, -1, top - 1, top, 1 - top, -top]])


def same_tail(finish: Tail, channels: list[Channel], exponent: int, scaled: bool) -> None:
    """Rows and many rows of `finish` equal `ops.requantize`, in each type that may carry them."""
    rng = np.random.default_rng(SEED)
    acc = np.stack([wide(rng, channel.acc_max, 60) for channel in channels], axis=1)
    rows = len(acc)
    m = rng.integers(1, 2**15 + 1, rows) if scaled else np.full(rows, ops.ONE)
    k = rng.integers(max(0, -exponent), 18, rows) if scaled else np.zeros(rows, int)
    m[-7:] = ops.ONE
    want = np.stack(
        [
            np.clip(ops.requantize(acc[:, i], c.shift, m, exponent + k, c.bias, 17), c.low, c.high)
            for i, c in enumerate(channels)
        ],
        axis=1,
    )
    factor = np.ldexp(m.astype(float), -k)[:, None]
    kinds = [exact.DOUBLE] + [exact.SINGLE] * (finish.bound < exact.SINGLE_MAX)
    for kind in kinds:
        start = (acc * finish.prescale).astype(kind)
        for least in (0.0, float(factor.min())):
            got = finish.for_rows()(start.copy(), factor, least)
            assert np.array_equal(got, want), (kind, exponent)
        for i in range(0, rows, 7):
            one = float(factor[i, 0])
            assert np.array_equal(finish(start[i].copy(), one, one), want[i])


def some_channels(rng: np.random.Generator, acc_bits: int, bias_bits: int) -> list[Channel]:
    """One of each shift, from narrow to wide outputs."""
    channels = []
    for shift in (0, 1, 2, 5, 9, 17, 31):
        bias = int(rng.integers(-(2**bias_bits), 2**bias_bits))
        top = ops.limit(int(rng.integers(2, 17)))
        low = -top if shift % 2 else 0
        channels.append(Channel(shift, bias, 2**acc_bits - 1, low, top))
    return channels


@pytest.mark.parametrize("exponent", [-3, 0, 11, 15, 24])
@pytest.mark.parametrize(("acc_bits", "bias_bits"), [(12, 4), (21, 12), (28, 20), (47, 31)])
def test_tail_with_a_scalar(exponent: int, acc_bits: int, bias_bits: int) -> None:
    channels = some_channels(np.random.default_rng(SEED), acc_bits, bias_bits)
    finish = tail(Columns.of(channels), exponent, 18)
    assert isinstance(finish, Scaled)
    same_tail(finish, channels, exponent, scaled=True)


def merged_bound(channels: list[Channel], exponent: int) -> int:
    """The largest sum before the one floor, in units of its last place."""
    largest = []
    for c in channels:
        places = max(c.shift, 1) + exponent - 11  # fraction bits
        bias = abs(c.bias * 2.0 ** (exponent - 15)) + 1  # in units of `a`
        largest.append((c.acc_max * 2.0**-c.shift + 0.5 + bias) * 2.0 ** max(c.shift, 1))
        assert places >= 0
    return int(max(largest))


@pytest.mark.parametrize("exponent", [0, 10, 11, 13, 15, 20, 63])
@pytest.mark.parametrize(("acc_bits", "bias_bits"), [(12, 4), (21, 12), (28, 20), (47, 31)])
def test_tail_without_a_scalar(exponent: int, acc_bits: int, bias_bits: int) -> None:
    channels = some_channels(np.random.default_rng(SEED), acc_bits, bias_bits)
    finish = tail(Columns.of(channels), exponent)
    assert isinstance(finish, Merged) == (
        exponent >= 11 and merged_bound(channels, exponent) < 2**53
    )
    same_tail(finish, channels, exponent, scaled=False)


def test_where_a_float32_ends() -> None:
    """One below 2^24 the narrow type is exact, which the test above uses; at 2^24 it is not."""
    last = [Channel(1, 8, 2**24 - 2, -32767, 32767), Channel(0, 0, 2**23 - 2, -9, 9)]
    assert Scaled(Columns.of(last), 0, 0).bound == 2**24 - 1
    same_tail(Scaled(Columns.of(last), 0, 18), last, 0, scaled=True)
    offset = [Channel(1, 8, 2**24 - 4, -32767, 32767)]
    assert Merged(Columns.of(offset), 15).bound == 2**24 + 13
    channel = [Channel(1, 8, 2**24 + 1, -32767, 32767)]
    finish = Scaled(Columns.of(channel), 4, 0)
    assert finish.bound > exact.SINGLE_MAX
    assert exact.carrier(finish.bound) is exact.DOUBLE
    assert int(np.float32(2**24 + 1)) != 2**24 + 1


def test_a_bias_too_far_from_the_product() -> None:
    """Product and bias together exceed a double: the product is rounded first, and must be."""
    channels = [Channel(3, 2**31 - 1, 2**20 - 1, -32767, 32767), Channel(3, 5, 9999, -127, 127)]
    shallow, deep = Scaled(Columns.of(channels), 3, 18), Scaled(Columns.of(channels), 40, 18)
    assert not shallow.is_deep
    assert deep.is_deep
    same_tail(shallow, channels, 3, scaled=True)
    same_tail(deep, channels, 40, scaled=True)
    assert beside([shallow, deep]).is_deep
    # -1 * 2^-55 + 16 n - 1/16 rounds to 16 n - 1/16 in a double, and the floor is one too high
    channel = [Channel(0, 2**24 + 16, 4, -2, 2**30)]
    finish, acc, factor = Scaled(Columns.of(channel), 40, 18), np.array([[-1.0]]), 2.0**-12
    assert finish.is_deep
    want = ops.requantize(np.array([-1]), 0, 1, 52, 2**24 + 16, 32)
    assert finish(acc.copy(), factor).tolist() == [want.tolist()]
    finish.is_deep = False
    assert finish(acc.copy(), factor).tolist() != [want.tolist()]


@pytest.mark.parametrize("acc_bits", [24, 47])
def test_when_the_first_clip_is_left_out(acc_bits: int) -> None:
    """From the factor on where both ends of `a` are beyond both ends of the output."""
    channels = [Channel(2, 8, 2**acc_bits - 1, -2047, 2047), Channel(2, 90, 9, 0, 2047)]
    finish = Scaled(Columns.of(channels), 9, 18)
    if acc_bits == 47:
        assert finish.enough == np.inf  # without the clip the product is too wide
        return
    acc = np.array([2**acc_bits - 1, 1 - 2**acc_bits, 2**19, 2**19 - 5, -(2**19), 77777])
    acc = np.stack([acc, np.arange(6)], axis=1)
    exact_factor = finish.enough / (1 + 2.0**-40)
    for m, skipped in ((int(exact_factor) - 1, False), (int(exact_factor) + 1, True)):
        want = [
            np.clip(ops.requantize(acc[:, i], c.shift, m, 9, c.bias, 12), c.low, c.high)
            for i, c in enumerate(channels)
        ]
        assert (m >= finish.enough) == skipped
        start = acc * finish.prescale
        assert np.array_equal(finish(start.copy(), float(m), float(m)), np.stack(want, axis=1))
    m = 100
    want = [ops.requantize(acc[:, 0], 2, m, 9, 8, 12)]
    assert np.array_equal(finish(acc * finish.prescale, float(m), float(m))[:, 0], want[0])
    finish.enough = 0.0
    assert not np.array_equal(finish(acc * finish.prescale, float(m), float(m))[:, 0], want[0])


def test_a_tail_that_is_wrong_is_found() -> None:
    channels = some_channels(np.random.default_rng(SEED), 21, 12)
    for name in ("offset", "low", "half", "pre", "unit"):
        finish = tail(Columns.of(channels), 3, 18)
        setattr(finish, name, getattr(finish, name) * 0.75)
        with pytest.raises(AssertionError):
            same_tail(finish, channels, 3, scaled=True)


def linear(rng: np.random.Generator, shape: tuple[int, int], exponent: int) -> Linear:
    weight = rng.integers(-127, 128, shape).astype(np.int8)
    shift = rng.integers(3, 12, shape[0]).astype(np.uint8)
    bias = rng.integers(-5000, 5000, shape[0]).astype(np.int32)
    return Linear(weight, shift, bias, shift.astype(np.int8), exponent, 10, 12, 10)


@pytest.mark.parametrize("signed", [True, False])
def test_reach_of_a_sum(signed: bool) -> None:
    """The inputs that drive each output furthest, found by trying all corners."""
    one = linear(np.random.default_rng(3), (20, 6), 1)
    one.weight[0] = np.abs(one.weight[0])
    corners = np.array(np.meshgrid(*[[-9 if signed else 0, 9]] * 6)).reshape(6, -1)
    assert one.reach(9, signed).tolist() == np.abs(one.weight @ corners).max(axis=1).tolist()


def step_by_ops(linears: list[Linear], x: np.ndarray, m: int, k: int) -> list[np.ndarray]:
    """Each step through Python integers and `ops`; x [N, in]."""
    results = []
    for one in linears:
        acc = [
            [sum(a * b for a, b in zip(row, w, strict=True)) for w in one.weight.tolist()]
            for row in x.tolist()
        ]
        results.append(
            ops.requantize(np.array(acc), one.shift, m, one.exponent + k, one.bias, one.out_bits)
        )
    return results


@pytest.mark.parametrize("x_max", [7, 500, 2047, 32767])
def test_steps(x_max: int) -> None:
    """With and without scalar, a row and many: in float32 and float64, as the inputs ask for."""
    rng = np.random.default_rng(x_max)
    linears = [linear(rng, (6, 70), exponent) for exponent in (1, 5)]
    x = rng.integers(-x_max, x_max + 1, (9, 70))
    x[0], x[1], x[2] = x_max, -x_max, np.sign(linears[0].weight[3]).astype(int) * x_max
    m, k = 23171, 7
    total = (x * x).sum(axis=1)
    scalar = exact.Scalar(
        np.full(9, float(m)), np.full(9, k), np.full(9, np.ldexp(float(m), -k)), int(total.max())
    )
    step = Step(linears, x_max, 20)
    want = step_by_ops(linears, x, m, k)
    for given in (x.astype(exact.SINGLE), x.astype(exact.DOUBLE)):
        for got, expected in zip(step.rows(given, scalar), want, strict=True):
            assert np.array_equal(got, expected)
    for row, *expected in zip(x, *want, strict=True):
        got = step(row.astype(exact.DOUBLE), np.ldexp(float(m), -k))
        assert np.array_equal(got, np.concatenate(expected))
    alone = Step([linears[0]], x_max)
    [expected] = step_by_ops(linears[:1], x, ops.ONE, 0)
    assert np.array_equal(alone.rows(x.astype(exact.SINGLE))[0], expected)
    assert np.array_equal(alone(x[2].astype(exact.DOUBLE)), expected[2])


def test_which_steps_are_exact_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the largest sum there can be, or by the length of the inputs; else they need doubles."""
    rng = np.random.default_rng(5)
    one = linear(rng, (6, 64), 1)
    one.weight[...] = 127
    one.shift[...] = 4
    wide, narrow = Step([one], 32767, 20).parts[0], Step([one], 2000, 20).parts[0]
    assert narrow.is_single(None)
    assert narrow.is_single(64 * 32767**2)
    limit = 64 * 127 * 2064  # the largest |x| of equal inputs whose sums stay below 2^24 - 8
    assert limit < 2**24 - 8 < limit + 64 * 127
    assert not wide.is_single(None)
    assert wide.is_single(64 * 2063**2)
    assert not wide.is_single(64 * 2065**2)
    one.weight[:, 32:] *= -1
    one.shift[...] = 1
    wider = dataclasses.replace(one, exponent=11, out_bits=16)  # the output is the accumulator / 2
    step, x = Step([wider], 32767, 20), rng.integers(30000, 30050, (50, 64))
    scalar = exact.Scalar(*np.full((3, 50), 2.0**15), largest=int((x * x).sum(axis=1).max()))
    [want] = step_by_ops([wider], x, ops.ONE, 0)
    assert np.array_equal(step.rows(x.astype(exact.SINGLE), scalar)[0], want)
    monkeypatch.setattr(step.parts[0], "is_single", lambda _: True)  # float32 nevertheless
    assert not np.array_equal(step.rows(x.astype(exact.SINGLE), scalar)[0], want)


@pytest.mark.parametrize("bits", [4, 6, 8])
@pytest.mark.parametrize("octaves", [1, 2])
def test_scalars(octaves: int, bits: int) -> None:
    rng = np.random.default_rng(octaves)
    table = rng.integers(1, 2**15 + 1, (2**octaves - 1) << bits)
    total = [*range(1, 5000), *(2**n + d for n in range(2, 48) for d in (-1, 0, 1)), 2**53 - 1]
    total += [int(rng.integers(1, 2 ** int(n))) for n in rng.integers(1, 53, 3000)]
    r, k = (ops.norm_scalar if octaves == 2 else ops.recip_scalar)(np.array(total), table)
    got = exact.scalar(np.array(total, float), exact.real(table), octaves)
    assert np.array_equal(got.pairs(), np.stack([r, k], axis=1))
    assert np.array_equal(got.factor, r * 2.0**-k)
    assert got.largest == 2**53 - 1


@pytest.mark.parametrize("bits", [4, 12, 16])
def test_rotate(bits: int) -> None:
    rng = np.random.default_rng(bits)
    top = ops.limit(bits)
    z = rng.integers(-top, top + 1, (300, 8))
    z[:2] = [[top] * 8, [-top] * 8]
    cos, sin = rng.integers(-16384, 16385, (2, 300, 4))
    cos[:2] = sin[:2] = 16384
    got = exact.rotate(z.astype(float), cos.astype(float), sin.astype(float), bits)
    assert np.array_equal(got, ops.rotate(z, cos, sin, bits))


def test_gated() -> None:
    rng = np.random.default_rng(12)
    gate, up = (np.concatenate([wide(rng, 32767, 500), np.full(9, 32767)]) for _ in range(2))
    for shift, bits in ((0, 16), (1, 9), (13, 16), (31, 4)):
        got = exact.gated(gate.astype(float), up.astype(float), shift, bits)
        assert np.array_equal(got, ops.gated(gate, up, shift, bits))


def test_caches() -> None:
    rng = np.random.default_rng(8)
    rows = rng.integers(-127, 128, (9, 2, 4))
    keys, x = exact.Cache((2, 20, 4), 2.0**-9), rng.integers(-2047, 2048, (6, 4))
    for position, row in enumerate(rows):
        keys.write(position, row.astype(float))
    heads = rows.repeat(3, axis=1)  # [t, 6, 4]
    assert np.array_equal(keys.dots(x.astype(float), 9) * 2**9, np.einsum("hd,thd->ht", x, heads))
    p = rng.integers(0, 4096, (6, 9))
    assert np.array_equal(keys.mix(p.astype(float)) * 2**9, np.einsum("ht,thd->hd", p, heads))


def test_what_no_float_holds_is_refused() -> None:
    assert exact.carrier(2**24 - 1) is exact.SINGLE
    assert exact.carrier(2**24) is exact.carrier(2**53 - 1) is exact.DOUBLE
    for refused in (
        lambda: exact.carrier(2**53),
        lambda: Step([linear(np.random.default_rng(1), (1, 64), 3)], 2**46, 9),
        lambda: cached(0, 3, 16, 2**52, 9),
    ):
        with pytest.raises(OverflowError, match="not exact"):
            refused()
    with pytest.raises(TypeError, match="integers expected"):
        exact.real(np.array([1.5]))
