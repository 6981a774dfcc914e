"""Every entry of every table against 40-digit decimal arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_FLOOR, Decimal, getcontext

import numpy as np
import pytest

from quant import tables

D = Decimal
HALF = D("0.5")
PI = D("3.14159265358979323846264338327950288419716939937510")


@pytest.fixture(autouse=True)
def _digits() -> None:
    getcontext().prec = 40


def check(table: np.ndarray, value: Callable[[int], Decimal]) -> None:
    """Each entry is floor(value + 1/2)."""
    assert table.dtype == np.int64
    for index, got in enumerate(table.tolist()):
        want = int((value(index) + HALF).to_integral_value(ROUND_FLOOR))
        assert got == want, f"entry {index}: {got}, not {want}"


@pytest.mark.parametrize("d_model", [4, 12, 16, 32, 63, 64, 65, 100, 128, 1024])
def test_rsqrt(d_model: int) -> None:
    octave = 0
    while 4**octave < d_model:  # ceil(log2(d) / 2)
        octave += 1
    assert tables.norm_octave(d_model) == octave
    c = D(d_model).sqrt() / 2**octave
    assert HALF < c <= 1
    for bits, table in ((7, tables.rsqrt_table(d_model)), (4, tables.rsqrt_table(d_model, 4))):
        cells = 2**bits
        assert len(table) == 3 * cells
        assert table.max() <= 2**15
        check(table, lambda i, cells=cells: 2**15 * c / (1 + (i + HALF) / cells).sqrt())


def test_recip() -> None:
    for bits, table in ((7, tables.recip_table()), (4, tables.recip_table(4))):
        cells = 2**bits
        assert len(table) == cells
        check(table, lambda i, cells=cells: 2**15 / (1 + (i + HALF) / cells))


@pytest.mark.parametrize(("frac_bits", "prob_bits"), [(2, 6), (5, 12), (4, 7), (8, 15)])
def test_exp2(frac_bits: int, prob_bits: int) -> None:
    table = tables.exp2_table(frac_bits, prob_bits)
    assert len(table) == 2**frac_bits
    check(table, lambda f: (2**prob_bits - 1) * D(2) ** (D(-f) / 2**frac_bits))


def test_gumbel() -> None:
    def value(index: int) -> Decimal:
        z, frac = divmod(index, 64)
        u = (1 + (frac + HALF) / 64) / 2 ** (z + 1)
        return -1024 * (-(1 - u).ln()).ln()

    table = tables.gumbel_table()
    assert len(table) == 1024
    check(table, value)


def test_gumbel_of_the_last_octave_continues_the_one_before() -> None:
    table = tables.gumbel_table().reshape(16, 64)
    step = table[1:, 0] - table[:-1, 0]
    assert abs(step[-1] - 1024 * np.log(2)) < 2


def _gelu(x: Decimal) -> Decimal:
    y = (2 / PI).sqrt() * (x + D("0.044715") * x**3)
    grown, shrunk = y.exp(), (-y).exp()
    return x * (1 + (grown - shrunk) / (grown + shrunk)) / 2


def _gelu_exact(x: Decimal) -> Decimal:
    """The power series of the normal distribution (A&S 26.2.11), for x not beyond 8."""
    total, term, n = D(0), x, 1
    while term > D("1e-40"):
        total, n = total + term, n + 2
        term = term * x * x / n
    return x * (D("0.5") + total * (-x * x / 2).exp() / (2 * PI).sqrt()) if x < 8 else x


def _silu(x: Decimal) -> Decimal:
    return x / (1 + (-x).exp())


@pytest.mark.parametrize(
    ("bits", "frac", "cell_bits"),
    [(8, 4, 8), (9, 6, 8), (12, 8, 8), (12, 11, 8), (12, 5, 4), (16, 12, 8), (13, 10, 10)],
)
@pytest.mark.parametrize(
    ("activation", "reach", "function"),
    [("gelu", 4, _gelu), ("gelu_exact", 4, _gelu_exact), ("silu", 8, _silu), ("swiglu", 8, _silu)],
)
def test_bump(
    activation: str,
    reach: int,
    function: Callable[[Decimal], Decimal],
    bits: int,
    frac: int,
    cell_bits: int,
) -> None:
    kind = tables.BUMPS[activation]
    shift, table = tables.activation_table(bits, frac, kind, cell_bits)
    covered = 1 << shift + cell_bits
    assert covered >= min(reach * 2**frac, 2 ** (bits - 1))

    def value(cell: int) -> Decimal:
        if cell == 0:  # gelu(0) = 0
            return D(0)
        codes = range(cell << shift, (cell + 1) << shift)
        x = D(codes[0] + codes[-1]) / 2 / 2**frac
        return (x - function(x)) * 2**frac

    assert len(table) == 2**cell_bits
    assert table.min() >= 0
    check(table, value)


def _cos_sin(angle: Decimal) -> tuple[Decimal, Decimal]:
    """Power series after reduction to +-pi."""
    angle -= 2 * PI * (angle / (2 * PI)).to_integral_value()
    cos, sin, term = D(0), D(0), D(1)
    for n in range(60):
        sign = -1 if n // 2 % 2 else 1
        if n % 2:
            sin += sign * term
        else:
            cos += sign * term
        term = term * angle / (n + 1)
    return cos, sin


@pytest.mark.parametrize(("context", "d_head"), [(130, 4), (17, 16)])
def test_rotary(context: int, d_head: int) -> None:
    cos, sin = tables.rotary_tables(context, d_head)
    assert cos.shape == sin.shape == (context, d_head // 2)
    for position in range(context):
        pairs = [_cos_sin(position * D(10000) ** (D(-2 * j) / d_head)) for j in range(d_head // 2)]
        check(cos[position], lambda j, pairs=pairs: 2**14 * pairs[j][0])
        check(sin[position], lambda j, pairs=pairs: 2**14 * pairs[j][1])


def test_the_comparison_itself_can_fail() -> None:
    table = tables.recip_table()
    table[17] += 1
    with pytest.raises(AssertionError, match="entry 17"):
        check(table, lambda i: 2**15 / (1 + (i + HALF) / 128))
