"""Each layer's backward against central differences of its forward, in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest

from model import gelu, layers
from model.attention import attention_backward, attention_forward, attention_probs, padding
from model.block import ACTIVATIONS
from tests.model.helpers import gradient_error

LIMIT = 1e-6


def check(forward, backward, arrays: list[np.ndarray], seed: int) -> None:
    """`forward(*arrays) -> (y, cache)` against `backward(dy, cache) -> gradients`."""
    rng = np.random.default_rng(seed)
    y, cache = forward(*arrays)
    dy = rng.normal(size=y.shape)
    gradients = backward(dy, cache)
    for index, (array, gradient) in enumerate(zip(arrays, gradients, strict=True)):
        assert gradient.shape == array.shape
        for _ in range(3):
            error = gradient_error(
                lambda: float(np.sum(forward(*arrays)[0] * dy)), array, gradient, rng
            )
            assert error <= LIMIT, f"argument {index}, seed {seed}: relative error {error:.1e}"


def randoms(seed: int, *shapes: tuple[int, ...]) -> list[np.ndarray]:
    print(f"seed {seed}")
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape) for shape in shapes]


def test_linear() -> None:
    arrays = randoms(1, (5, 4), (4, 3), (3,))
    check(layers.linear_forward, layers.linear_backward, arrays, 1)


def test_rmsnorm() -> None:
    arrays = randoms(2, (5, 6), (6,))
    check(layers.rmsnorm_forward, layers.rmsnorm_backward, arrays, 2)


def test_layernorm() -> None:
    arrays = randoms(3, (5, 6), (6,), (6,))
    check(layers.layernorm_forward, layers.layernorm_backward, arrays, 3)


def test_norms_by_definition() -> None:
    x, gain, bias = randoms(4, (5, 6), (6,), (6,))
    rms = np.sqrt(np.mean(x**2, axis=1, keepdims=True) + layers.NORM_EPS)
    std = np.sqrt(x.var(axis=1, keepdims=True) + layers.NORM_EPS)
    layernorm = (x - x.mean(axis=1, keepdims=True)) / std * gain + bias
    np.testing.assert_allclose(layers.rmsnorm_forward(x, gain)[0], x / rms * gain, rtol=1e-12)
    np.testing.assert_allclose(layers.layernorm_forward(x, gain, bias)[0], layernorm, rtol=1e-12)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name: str) -> None:
    (x,) = randoms(5, (7, 6))
    x += 0.1 * np.sign(x)  # keep away from the kink of relu
    forward, backward = ACTIVATIONS[name]
    check(forward, lambda dy, cache: (backward(dy, cache),), [x], 5)


def test_silu_and_swiglu_by_definition() -> None:
    (x,) = randoms(13, (5, 6))
    silu = x / (1 + np.exp(-x))
    np.testing.assert_allclose(layers.silu_forward(x)[0], silu, rtol=1e-12)
    np.testing.assert_allclose(layers.swiglu_forward(x)[0], silu[:, :3] * x[:, 3:], rtol=1e-12)
    with np.errstate(all="raise"):
        far = layers.silu_forward(np.array([-1e4, 1e4], np.float32))[0]
    np.testing.assert_array_equal(far, [0, 1e4])


def test_dropout() -> None:
    (x,) = randoms(14, (400, 50))

    def forward(x: np.ndarray) -> tuple[np.ndarray, tuple]:
        return layers.dropout_forward(x, 0.3, np.random.default_rng(14))

    check(forward, lambda dy, cache: (layers.dropout_backward(dy, cache),), [x], 14)
    y = forward(x)[0]
    assert np.mean(y == 0) == pytest.approx(0.3, abs=0.02)
    np.testing.assert_allclose(y[y != 0], x[y != 0] / 0.7, rtol=1e-12)
    np.testing.assert_array_equal(y, forward(x)[0])


def normal(x: float) -> float:
    """The part of a normal distribution below x."""
    return math.erfc(-x / math.sqrt(2)) / 2


def test_gelu_is_near_its_exact_form() -> None:
    x = np.linspace(-6, 6, 1001)
    exact = np.array([value * normal(value) for value in x])
    assert np.abs(layers.gelu(x) - exact).max() < 5e-4


def test_exact_gelu_and_its_slope() -> None:
    x = np.concatenate([np.linspace(-16, 16, 3201), [-1e4, 0, 1e4]])
    exact = np.array([value * normal(value) for value in x])
    bell = np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    slope = np.array([normal(value) for value in x]) + x * bell
    for dtype, limit in ((np.float64, 3e-9), (np.float32, 1e-6)):
        with np.errstate(over="raise", invalid="raise"):
            y, cache = gelu.gelu_exact_forward(x.astype(dtype))
            dx = gelu.gelu_exact_backward(np.ones_like(y), cache)
        assert y.dtype == dx.dtype == dtype
        np.testing.assert_allclose(y, exact, rtol=1e-6 if dtype == np.float32 else 0, atol=limit)
        np.testing.assert_allclose(dx, slope, rtol=0, atol=limit)


def test_embedding_backward() -> None:
    tokens = np.array([3, 0, 3, 5, 0, 3])
    dy = randoms(6, (6, 4))[0]
    expected = np.zeros((7, 4))
    np.add.at(expected, tokens, dy)
    np.testing.assert_allclose(layers.embedding_backward(dy, tokens, 7), expected, rtol=1e-12)


def test_rotary() -> None:
    (x,) = randoms(7, (2, 5, 3, 8))  # (B, T, H, d_head)
    turn = layers.rotary_table(5, 8, x.dtype)

    def turned(x: np.ndarray, turn: np.ndarray) -> np.ndarray:
        y = x.copy()
        layers.rotate(y, turn)
        return y

    check(lambda x: (turned(x, turn), None), lambda dy, _: (turned(dy, turn.conj()),), [x], 7)
    angle = 3 * 10000 ** (-2 / 8)  # position 3, pair 1: features 2 and 3
    a, b = x[1, 3, 0, 2:4]
    expected = [a * np.cos(angle) - b * np.sin(angle), a * np.sin(angle) + b * np.cos(angle)]
    np.testing.assert_allclose(turned(x, turn)[1, 3, 0, 2:4], expected, rtol=1e-12)


@pytest.mark.parametrize("kv_heads", [4, 2, 1])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    ("length", "keys", "block", "causal"),
    [
        (7, 7, 3, True),
        (7, 7, 7, True),
        (6, 6, 3, True),
        (5, 5, 16, True),
        (1, 1, 4, True),
        (7, 7, 3, False),
        (5, 8, 2, False),
        (6, 1, 4, False),
    ],
)
def test_attention(
    length: int, keys: int, block: int, causal: bool, masked: bool, kv_heads: int
) -> None:
    seed = 10 * length + block
    arrays = randoms(seed, (2, 4, length, 4), *[(2, kv_heads, keys, 4)] * 2)
    mask = np.arange(keys) < np.array([[keys], [(keys + 1) // 2]]) if masked else None
    hidden = padding(mask, (2, keys), causal, np.dtype(float))

    def backward(dy: np.ndarray, cache: object) -> list[np.ndarray]:
        into = tuple(np.full_like(array, np.nan) for array in arrays)
        attention_backward(dy, cache, into)
        return list(into)

    def forward(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, tuple]:
        return attention_forward(q, k, v, block, causal, hidden)

    check(forward, backward, arrays, seed)
    q, k, v = arrays
    probs = attention_probs(2 * q, k, causal, hidden)[1]  # 2: the root of d_head
    seen = np.ones((2, 1, length, keys), bool)
    if causal:
        seen = np.tril(seen)
    if masked:
        seen = seen & mask[:, None, None]
    assert ((probs > 0) == seen).all()
    np.testing.assert_allclose(probs.sum(axis=3), 1, rtol=1e-12)
    expected = (probs @ np.repeat(v, 4 // kv_heads, axis=1)).swapaxes(1, 2)
    np.testing.assert_allclose(forward(q, k, v)[0], expected, rtol=1e-12)


def test_masks_that_cannot_be() -> None:
    def hide(mask: np.ndarray, causal: bool = False) -> None:
        padding(mask, (2, 3), causal, np.dtype(float))

    with pytest.raises(ValueError, match=r"row 1 is empty .*expected a visible key"):
        hide(np.array([[True, False, False], [False, False, False]]))
    late = np.array([[True, True, True], [False, True, True]])
    hide(late)
    with pytest.raises(ValueError, match="row 1 is empty"):
        hide(late, causal=True)
    with pytest.raises(ValueError, match=r"bool \(2, 4\), expected bool \(2, 3\)"):
        hide(np.ones((2, 4), bool))
    with pytest.raises(ValueError, match="float64"):
        hide(np.ones((2, 3)))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy(smoothing: float) -> None:
    (logits,) = randoms(9, (6, 5))
    targets = np.array([1, -1, 0, 4, -1, 2])
    loss, cache = layers.cross_entropy_forward(logits, targets, smoothing)
    rows = targets >= 0
    log_probs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    shares = smoothing / 5 + (1 - smoothing) * np.eye(5)[targets[rows]]
    assert loss == pytest.approx(-np.mean((shares * log_probs[rows]).sum(axis=1)), rel=1e-12)
    error = gradient_error(
        lambda: layers.cross_entropy_forward(logits, targets, smoothing)[0],
        logits,
        layers.cross_entropy_backward(cache),
        np.random.default_rng(9),
    )
    assert error <= LIMIT


def test_targets_that_cannot_be() -> None:
    for targets, said in [
        ([5, 0], "from 0 to 5: expected 0 to 4"),
        ([-2, 0], "from -2"),
        ([1], "shape"),
    ]:
        with pytest.raises(ValueError, match=said):
            layers.cross_entropy_forward(np.zeros((2, 5)), np.array(targets))


def test_large_logits_and_scores_do_not_overflow() -> None:
    logits = np.array([[1e4, -1e4, 0.0]], np.float32)
    assert layers.cross_entropy_forward(logits, np.array([0]))[0] == pytest.approx(0)
    (q,) = randoms(11, (1, 1, 4, 2))
    big = (q * 1e4).astype(np.float32)
    assert np.isfinite(attention_forward(big, big, big)[0]).all()


@pytest.mark.parametrize("scale", [0.1, 3.0, 10.0, 1000.0])
def test_small_and_large_scores_give_the_same_attention(scale: float) -> None:
    q, k, v = (array.astype(np.float32) for array in randoms(13, *[(2, 3, 40, 4)] * 3))
    out = attention_forward(q * scale, k * scale, v)[0]
    exact = [array.astype(np.float64) for array in (2 * q * scale, k * scale)]
    probs = attention_probs(exact[0], exact[1])[1]  # (B, H, T, T)
    np.testing.assert_allclose(out, (probs @ v).swapaxes(1, 2), rtol=0, atol=2e-5)


def test_a_wrong_gradient_is_found() -> None:
    x, weight, bias = randoms(12, (5, 4), (4, 3), (3,))

    def broken(dy: np.ndarray, cache: tuple) -> tuple[np.ndarray, ...]:
        dx, dweight, dbias = layers.linear_backward(dy, cache)
        dweight[2, 1] *= 1 + 1e-3
        return dx, dweight, dbias

    with pytest.raises(AssertionError, match="argument 1"):
        check(layers.linear_forward, broken, [x, weight, bias], 12)
