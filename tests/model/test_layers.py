"""Each layer's backward against central differences of its forward, in float64."""

from __future__ import annotations

import numpy as np
import pytest

from model import layers
from model.attention import attention_backward, attention_forward, attention_probs
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


@pytest.mark.parametrize("name", ["relu", "gelu"])
def test_activations(name: str) -> None:
    (x,) = randoms(5, (7, 6))
    x += 0.1 * np.sign(x)  # keep away from the kink of relu
    forward, backward = getattr(layers, f"{name}_forward"), getattr(layers, f"{name}_backward")
    check(forward, lambda dy, cache: (backward(dy, cache),), [x], 5)


def test_gelu_is_near_its_exact_form() -> None:
    from math import erf, sqrt

    x = np.linspace(-6, 6, 1001)
    exact = np.array([value * 0.5 * (1 + erf(value / sqrt(2))) for value in x])
    assert np.abs(layers.gelu(x) - exact).max() < 5e-4


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


@pytest.mark.parametrize(("length", "block"), [(7, 3), (7, 7), (6, 3), (5, 16), (1, 4)])
def test_attention(length: int, block: int) -> None:
    seed = 10 * length + block
    arrays = randoms(seed, *[(2, 3, length, 4)] * 3)

    def backward(dy: np.ndarray, cache: object) -> list[np.ndarray]:
        into = tuple(np.full_like(array, np.nan) for array in arrays)
        attention_backward(dy, cache, into)
        return list(into)

    check(lambda q, k, v: attention_forward(q, k, v, block), backward, arrays, seed)
    q, k, v = arrays
    probs = attention_probs(q, k)[1]
    assert not np.triu(probs, 1).any()
    expected = (probs @ v).swapaxes(1, 2)
    np.testing.assert_allclose(attention_forward(q, k, v, block)[0], expected, rtol=1e-12)


def test_cross_entropy() -> None:
    (logits,) = randoms(9, (6, 5))
    targets = np.array([1, -1, 0, 4, -1, 2])
    loss, cache = layers.cross_entropy_forward(logits, targets)
    rows = targets >= 0
    log_probs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    assert loss == pytest.approx(-np.mean(log_probs[rows, targets[rows]]), rel=1e-12)
    error = gradient_error(
        lambda: layers.cross_entropy_forward(logits, targets)[0],
        logits,
        layers.cross_entropy_backward(cache),
        np.random.default_rng(9),
    )
    assert error <= LIMIT


def test_large_logits_and_scores_do_not_overflow() -> None:
    logits = np.array([[1e4, -1e4, 0.0]], np.float32)
    assert layers.cross_entropy_forward(logits, np.array([0]))[0] == pytest.approx(0)
    (q,) = randoms(11, (1, 1, 4, 2))
    big = (q * 1e4).astype(np.float32)
    assert np.isfinite(attention_forward(big, big, big)[0]).all()


def test_a_wrong_gradient_is_found() -> None:
    x, weight, bias = randoms(12, (5, 4), (4, 3), (3,))

    def broken(dy: np.ndarray, cache: tuple) -> tuple[np.ndarray, ...]:
        dx, dweight, dbias = layers.linear_backward(dy, cache)
        dweight[2, 1] *= 1 + 1e-3
        return dx, dweight, dbias

    with pytest.raises(AssertionError, match="argument 1"):
        check(layers.linear_forward, broken, [x, weight, bias], 12)
