"""Layers as pairs of pure functions: `x_forward(...) -> (y, cache)`, `x_backward(dy, cache)`.

A backward returns `(dx, grads...)` in the order of the forward's arguments, and may use its cache
up. Arrays are any float dtype (float32 in use, float64 in the gradient tests). Rows: N = B*T
positions; D: features.
Sums over features go through BLAS (`x @ ones`) or einsum, which beat `np.sum` on short rows.
"""

from __future__ import annotations

import math

import numpy as np

Array = np.ndarray
NORM_EPS = 1e-5
_GELU_A = math.sqrt(2.0 / math.pi)
_GELU_B = 0.044715


# -- linear ------------------------------------------------------------------------------------
def linear_forward(x: Array, weight: Array, bias: Array | None) -> tuple[Array, tuple]:
    """y = x W + b. x: (N, in); weight: (in, out); bias: (out,) or None."""
    y = x @ weight
    if bias is not None:
        y += bias
    return y, (x, weight, bias is not None)


def linear_backward(dy: Array, cache: tuple) -> tuple[Array, Array, Array | None]:
    """dy: (N, out) -> dx (N, in), dweight (in, out), dbias (out,) or None."""
    x, weight, has_bias = cache
    dbias = column_sum(dy) if has_bias else None
    return dy @ weight.T, x.T @ dy, dbias


def column_sum(x: Array) -> Array:
    """Sum over rows. x: (N, D) -> (D,)."""
    return np.ones(x.shape[0], x.dtype) @ x


# -- norms -------------------------------------------------------------------------------------
def rmsnorm_forward(x: Array, gain: Array) -> tuple[Array, tuple]:
    """y = x / sqrt(mean(x^2) + eps) * gain (arXiv 1910.07467). x: (N, D); gain: (D,)."""
    inv = np.einsum("nd,nd->n", x, x)  # (N,)
    inv /= x.shape[1]
    inv += NORM_EPS
    np.sqrt(inv, out=inv)
    np.reciprocal(inv, out=inv)
    normed = x * inv[:, None]  # (N, D)
    return normed * gain, (normed, inv, gain)


def rmsnorm_backward(dy: Array, cache: tuple) -> tuple[Array, Array]:
    """dy: (N, D) -> dx (N, D), dgain (D,)."""
    normed, inv, gain = cache
    dgain = np.einsum("nd,nd->d", dy, normed)
    dx = dy * gain
    along = np.einsum("nd,nd->n", dx, normed) / dx.dtype.type(dx.shape[1])  # (N,)
    dx -= normed * along[:, None]
    dx *= inv[:, None]
    return dx, dgain


def layernorm_forward(x: Array, gain: Array, bias: Array | None) -> tuple[Array, tuple]:
    """y = (x - mean) / sqrt(var + eps) * gain + bias (arXiv 1607.06450). x: (N, D)."""
    average = np.full(x.shape[1], 1.0 / x.shape[1], x.dtype)
    centred = x - (x @ average)[:, None]
    y, (normed, inv, _) = rmsnorm_forward(centred, gain)
    if bias is not None:
        y += bias
    return y, (normed, inv, gain, bias is not None)


def layernorm_backward(dy: Array, cache: tuple) -> tuple[Array, Array, Array | None]:
    """dy: (N, D) -> dx (N, D), dgain (D,), dbias (D,) or None."""
    normed, inv, gain, has_bias = cache
    dbias = column_sum(dy) if has_bias else None
    dx, dgain = rmsnorm_backward(dy, (normed, inv, gain))
    dx -= (dx @ np.full(dx.shape[1], 1.0 / dx.shape[1], dx.dtype))[:, None]
    return dx, dgain, dbias


# -- activations -------------------------------------------------------------------------------
def relu_forward(x: Array) -> tuple[Array, tuple]:
    """max(x, 0), elementwise (a row of zeros is twice as fast here as the number 0)."""
    y = np.maximum(x, np.zeros(x.shape[-1], x.dtype))
    return y, (y,)


def relu_backward(dy: Array, cache: tuple) -> Array:
    """dx = dy where x > 0, else 0."""
    (y,) = cache
    return dy * (y > 0)


def gelu(x: Array) -> Array:
    """GELU in its tanh form (arXiv 1606.08415): x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))."""
    return gelu_forward(x)[0]


def gelu_forward(x: Array) -> tuple[Array, tuple]:
    """See `gelu`; elementwise. The slope h + 2 y (1 - h) inner'(x), with h = (1 + t)/2 and t the
    tanh, is made here: that needs one array for the backward, where its parts would be three."""
    slope = x * x
    slope *= _GELU_A * _GELU_B
    slope += _GELU_A
    half = slope * x
    np.tanh(half, out=half)
    half += 1
    half *= 0.5
    y = x * half
    slope *= 6
    slope -= 4 * _GELU_A  # 2 inner'(x)
    slope *= y
    half *= np.subtract(1, slope, out=slope)  # h + s (1 - h) = s + h (1 - s), without a copy
    np.subtract(1, slope, out=slope)
    slope += half
    return y, (slope,)


def gelu_backward(dy: Array, cache: tuple) -> Array:
    """dx = dy times the slope, in the slope's place."""
    (slope,) = cache
    slope *= dy
    return slope


def silu_forward(x: Array) -> tuple[Array, tuple]:
    """SiLU or Swish, x * sigmoid(x), elementwise (arXiv 1702.03118)."""
    sigmoid = x * 0.5
    np.tanh(sigmoid, out=sigmoid)  # (1 + tanh(x/2)) / 2 never overflows
    sigmoid += 1
    sigmoid *= 0.5
    return x * sigmoid, (x, sigmoid)


def silu_backward(dy: Array, cache: tuple) -> Array:
    """dx = dy s (1 + x (1 - s)), with s the forward's sigmoid."""
    x, sigmoid = cache
    return dy * sigmoid * (1 + x * (1 - sigmoid))


def swiglu_forward(x: Array) -> tuple[Array, tuple]:
    """silu(gate) * up (arXiv 2002.05202). x: (N, 2F), columns gate | up -> (N, F)."""
    gate, up = np.split(x, 2, axis=1)
    act, cache = silu_forward(gate)
    return act * up, (act, up, cache)


def swiglu_backward(dy: Array, cache: tuple) -> Array:
    """dy: (N, F) -> dx (N, 2F)."""
    act, up, gate_cache = cache
    return np.concatenate([silu_backward(dy * up, gate_cache), dy * act], axis=1)


# -- dropout -----------------------------------------------------------------------------------
def dropout_forward(x: Array, rate: float, rng: np.random.Generator) -> tuple[Array, tuple]:
    """Zeros with probability `rate`, the rest times 1/(1-rate): the mean stays (JMLR 15, 2014)."""
    keep = (rng.random(x.shape, np.float32) >= rate).astype(x.dtype)
    keep *= x.dtype.type(1 / (1 - rate))
    return x * keep, (keep,)


def dropout_backward(dy: Array, cache: tuple) -> Array:
    """dx = dy where x was kept, scaled alike."""
    (keep,) = cache
    return dy * keep


# -- embedding ---------------------------------------------------------------------------------
def embedding_backward(dy: Array, tokens: Array, vocab_size: int) -> Array:
    """Sum the rows of dy (N, D) by token: dtable (V, D). tokens: (N,) ints."""
    order = np.argsort(tokens, kind="stable")
    used, starts = np.unique(tokens[order], return_index=True)
    dtable = np.zeros((vocab_size, dy.shape[1]), dy.dtype)
    dtable[used] = np.add.reduceat(dy[order], starts, axis=0)
    return dtable


# -- rotary positions --------------------------------------------------------------------------
def rotary_table(context: int, d_head: int, dtype: np.dtype | type) -> Array:
    """cos + i sin of pos * 10000^(-2j/d_head): complex (context, d_head/2) (arXiv 2104.09864)."""
    speed = 10000.0 ** (-np.arange(0, d_head, 2) / d_head)
    angle = np.arange(context)[:, None] * speed
    return np.exp(1j * angle).astype(np.result_type(dtype, np.complex64))


def rotate(x: Array, turn: Array) -> None:
    """Turn the adjacent pairs (2j, 2j+1) of x in place by the complex numbers `turn`.

    x: (..., T, H, d_head), unit stride in the last axis; turn: (T, d_head/2), as `rotary_table`.
    The backward is `rotate(dx, turn.conj())`: a rotation's transpose is its inverse.
    """
    pairs = x.view(turn.dtype)  # (..., T, H, d_head/2)
    pairs *= turn[:, None, :]


# -- loss --------------------------------------------------------------------------------------
def cross_entropy_forward(
    logits: Array, targets: Array, smoothing: float = 0.0
) -> tuple[float, tuple]:
    """Mean of -log softmax(logits)[target] over the rows whose target is >= 0.

    logits: (N, V); targets: (N,) ints, -1 where there is no loss. With label smoothing e, the
    target has the share 1 - e and all V share e evenly (arXiv 1512.00567).
    """
    _check_targets(targets, logits.shape)
    probs = logits - logits.max(axis=1, keepdims=True)
    rows = np.flatnonzero(targets >= 0)
    picked = probs[rows, targets[rows]].astype(np.float64)
    if smoothing:
        picked += smoothing * (probs[rows].mean(axis=1, dtype=np.float64) - picked)
    np.exp(probs, out=probs)
    total = probs @ np.ones(probs.shape[1], probs.dtype)  # (N,)
    loss = float(np.mean(np.log(total[rows].astype(np.float64)) - picked)) if rows.size else 0.0
    return loss, (probs, total, targets, rows, smoothing)


def cross_entropy_backward(cache: tuple) -> Array:
    """dlogits (N, V) of the mean loss, in the place of the probabilities."""
    dlogits, total, targets, rows, smoothing = cache
    scale = (targets >= 0).astype(dlogits.dtype) / max(rows.size, 1)  # (N,)
    dlogits *= (scale / total)[:, None]
    if smoothing:
        dlogits -= (scale * scale.dtype.type(smoothing / dlogits.shape[1]))[:, None]
        scale *= scale.dtype.type(1 - smoothing)
    dlogits[rows, targets[rows]] -= scale[rows]
    return dlogits


def _check_targets(targets: Array, shape: tuple[int, ...]) -> None:
    """ValueError unless there is a target for each row of logits (N, V), from -1 to V - 1."""
    if targets.shape != shape[:1]:
        raise ValueError(f"targets of shape {targets.shape}: expected {shape[:1]}, one a row")
    if targets.size and not (targets.min() >= -1 and targets.max() < shape[1]):
        raise ValueError(
            f"targets from {targets.min()} to {targets.max()}: expected 0 to {shape[1] - 1}, or -1 "
            "for no loss"
        )
