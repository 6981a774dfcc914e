"""Causal softmax attention, computed in blocks of queries.

A block of queries meets only the keys up to its own end, so the half of the score matrix that the
mask would clear is mostly never computed, and a block's scores stay in the cache of the CPU.
The softmax is normalised after the product with V (as in the hardware): with e = exp(s - max s)
and n = sum e, out = (e V) / n, and the backward needs only e and n (arXiv 2205.14135, appendix).
"""

from __future__ import annotations

import math

import numpy as np

Array = np.ndarray
BLOCK = 32  # queries


def _mask(size: int, dtype: np.dtype) -> Array:
    """(size, size): 0 on and under the diagonal, -inf above."""
    return np.triu(np.full((size, size), -np.inf, dtype), 1)


def attention_forward(q: Array, k: Array, v: Array, block: int = BLOCK) -> tuple[Array, tuple]:
    """softmax(q k^T / sqrt(d_head), causal) v.

    q, k, v: (B, H, T, d_head), any strides with unit stride in the last axis.
    Returns (B, T, H, d_head), contiguous, so that the heads lie side by side.
    """
    batch, heads, length, d_head = q.shape
    out = np.empty((batch, length, heads, d_head), q.dtype)
    total = np.empty((batch, heads, length, 1), q.dtype)
    exps = []
    q = q * q.dtype.type(1 / math.sqrt(d_head))
    for lo in range(0, length, block):
        hi = min(lo + block, length)
        e = q[:, :, lo:hi] @ k[:, :, :hi].swapaxes(2, 3)  # (B, H, hi-lo, hi)
        e[..., lo:hi] += _mask(hi - lo, q.dtype)
        e -= e.max(axis=3, keepdims=True)
        np.exp(e, out=e)
        n = np.matmul(e, np.ones((hi, 1), q.dtype), out=total[:, :, lo:hi])
        rows = out[:, lo:hi].swapaxes(1, 2)  # (B, H, hi-lo, d_head)
        np.matmul(e, v[:, :, :hi], out=rows)
        rows /= n
        exps.append(e)
    return out, (q, k, v, out, total, exps, block)


def attention_backward(dout: Array, cache: tuple, into: tuple[Array, Array, Array]) -> None:
    """Write dq, dk, dv, each shaped (B, H, T, d_head) with any strides, `into` three arrays.

    dout: (B, T, H, d_head). From the last block to the first: the last one meets every key, so it
    writes all of dk and dv, and the others add to them.
    """
    q, k, v, out, total, exps, block = cache
    dq, dk, dv = into
    length = q.shape[2]
    for index in reversed(range(len(exps))):
        lo, hi = index * block, min((index + 1) * block, length)
        e = exps[index]  # (B, H, hi-lo, hi)
        dy = dout[:, lo:hi].swapaxes(1, 2) / total[:, :, lo:hi]  # (B, H, hi-lo, d_head)
        along = np.einsum("bhtd,bthd->bht", dy, out[:, lo:hi])
        ds = dy @ v[:, :, :hi].swapaxes(2, 3)  # (B, H, hi-lo, hi)
        ds -= along[..., None]
        ds *= e
        np.matmul(ds, k[:, :, :hi], out=dq[:, :, lo:hi])
        _put_or_add(ds.swapaxes(2, 3), q[:, :, lo:hi], dk[:, :, :hi], hi == length)
        _put_or_add(e.swapaxes(2, 3), dy, dv[:, :, :hi], hi == length)
    dq *= dq.dtype.type(1 / math.sqrt(q.shape[3]))


def _put_or_add(a: Array, b: Array, into: Array, put: bool) -> None:
    if put:
        np.matmul(a, b, out=into)
    else:
        into += a @ b


def attention_probs(q: Array, k: Array) -> tuple[Array, Array]:
    """Scores (scaled, -inf where masked) and probabilities, both (B, H, T, T); for looking."""
    scores = q @ k.swapaxes(2, 3) / q.dtype.type(math.sqrt(q.shape[3]))
    scores += _mask(q.shape[2], q.dtype)
    probs = np.exp(scores - scores.max(axis=3, keepdims=True))
    return scores, probs / probs.sum(axis=3, keepdims=True)
