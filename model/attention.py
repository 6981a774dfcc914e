"""Softmax attention, causal or over all keys, computed in blocks of queries.

A causal block of queries meets only the keys up to its own end, so the half of the score matrix
that the mask would clear is mostly never computed; a block's scores stay in the cache of the CPU.
A padding mask (B, S) is true where a key is real and may be seen.
The softmax is normalised after the product with V (as in the hardware): with e = exp(s - max s)
and n = sum e, out = (e V) / n, and the backward needs only e and n (arXiv 2205.14135, appendix).
The row's maximum only keeps exp in range, so scores that are small anyway do without it.
"""

from __future__ import annotations

import math

import numpy as np

Array = np.ndarray
BLOCK = 32  # queries
SMALL = 40.0  # scores between -40 and 40: their exponentials and the sums are in range as they are


def _mask(size: int, dtype: np.dtype) -> Array:
    """(size, size): 0 on and under the diagonal, -inf above."""
    return np.triu(np.full((size, size), -np.inf, dtype), 1)


def padding(
    mask: Array | None, shape: tuple[int, int], causal: bool, dtype: np.dtype
) -> Array | None:
    """What a padding mask adds to the scores: (B, 1, 1, S), 0 or -inf; None if all may be seen.

    shape: (B, S). ValueError when the mask is of another shape or leaves a query without any key.
    """
    if mask is None:
        return None
    if mask.shape != shape or mask.dtype != bool:
        raise ValueError(f"mask: {mask.dtype} {mask.shape}, expected bool {shape} (batch, keys)")
    seen = mask[:, :1] if causal else mask  # the first query of a causal one sees only key 0
    if empty := np.flatnonzero(~seen.any(axis=1)).tolist():
        what = "its first key is hidden, and query 0 sees no other" if causal else "no key is left"
        raise ValueError(f"mask: row {empty[0]} is empty ({what}); expected a visible key")
    return np.where(mask, dtype.type(0), dtype.type(-np.inf))[:, None, None]


def scale(q: Array) -> None:
    """Divide queries, or their gradients, by sqrt(d_head), in place: attention takes q so scaled
    (arXiv 1706.03762), and no second copy of it has to be kept."""
    q *= q.dtype.type(1 / math.sqrt(q.shape[-1]))


def share_heads(x: Array, heads: int) -> Array:
    """Keys or values (B, G, S, d_head) as (B, heads, S, d_head); head h reads h * G // heads."""
    return x if x.shape[1] == heads else np.repeat(x, heads // x.shape[1], axis=1)


def attention_forward(
    q: Array,
    k: Array,
    v: Array,
    block: int = BLOCK,
    causal: bool = True,
    hidden: Array | None = None,
) -> tuple[Array, tuple]:
    """softmax(q k^T, masked) v.

    q: (B, H, T, d_head), after `scale`; k, v: (B, G, S, d_head); any strides with unit stride in
    the last axis; G divides H: each head of k and v serves H / G of q (arXiv 2305.13245). S = T
    when causal. hidden: as `padding`. Returns (B, T, H, d_head), contiguous: heads side by side.
    """
    batch, heads, length, d_head = q.shape
    k, v = share_heads(k, heads), share_heads(v, heads)
    out = np.empty((batch, length, heads, d_head), q.dtype)
    total = np.empty((batch, heads, length, 1), q.dtype)
    exps = []
    for lo in range(0, length, block):
        hi = min(lo + block, length)
        end = hi if causal else k.shape[2]
        e = q[:, :, lo:hi] @ k[:, :, :end].swapaxes(2, 3)  # (B, H, hi-lo, end)
        small = max(e.max(), -e.min()) < SMALL
        if causal:
            e[..., lo:hi] += _mask(hi - lo, q.dtype)
        if hidden is not None:
            e += hidden[..., :end]
        if not small:
            e -= e.max(axis=3, keepdims=True)
        np.exp(e, out=e)
        n = np.matmul(e, np.ones((end, 1), q.dtype), out=total[:, :, lo:hi])
        rows = out[:, lo:hi].swapaxes(1, 2)  # (B, H, hi-lo, d_head)
        np.matmul(e, v[:, :, :end], out=rows)
        rows /= n
        exps.append(e)
    return out, (q, k, v, out, total, exps, block)


def attention_backward(dout: Array, cache: tuple, into: tuple[Array, Array, Array]) -> None:
    """Write dq, dk, dv, each shaped as its argument of the forward, `into` arrays of any strides.

    dout: (B, T, H, d_head). From the last block to the first: the last one meets every key, so it
    writes all of dk and dv, and the others add to them.
    """
    q, k, v, out, total, exps, block = cache
    dq, dk, dv = into
    if dk.shape != k.shape:  # shared heads: sum over the queries' heads that each one serves
        shared, groups = (np.empty_like(k), np.empty_like(v)), dk.shape[1]
        attention_backward(dout, cache, (dq, *shared))
        for whole, d in zip(shared, (dk, dv), strict=True):
            d[...] = whole.reshape(len(k), groups, -1, *k.shape[2:]).sum(axis=2)
        return
    length = q.shape[2]
    for index in reversed(range(len(exps))):
        lo, hi = index * block, min((index + 1) * block, length)
        e = exps[index]  # (B, H, hi-lo, end)
        end = e.shape[3]
        dy = dout[:, lo:hi].swapaxes(1, 2) / total[:, :, lo:hi]  # (B, H, hi-lo, d_head)
        along = np.einsum("bhtd,bthd->bht", dy, out[:, lo:hi])
        ds = dy @ v[:, :, :end].swapaxes(2, 3)  # (B, H, hi-lo, end)
        ds -= along[..., None]
        ds *= e
        np.matmul(ds, k[:, :, :end], out=dq[:, :, lo:hi])
        put_or_add(ds.swapaxes(2, 3), q[:, :, lo:hi], dk[:, :, :end], hi == length)
        put_or_add(e.swapaxes(2, 3), dy, dv[:, :, :end], hi == length)


def put_or_add(a: Array, b: Array, into: Array, put: bool) -> None:
    """The product a b, written `into` an array of any strides, or added to it."""
    if put:
        np.matmul(a, b, out=into)
    else:
        into += a @ b


def attention_probs(
    q: Array, k: Array, causal: bool = True, hidden: Array | None = None
) -> tuple[Array, Array]:
    """Scores (scaled, -inf where masked) and probabilities, both (B, H, T, S); for looking."""
    k = share_heads(k, q.shape[1])
    scores = q @ k.swapaxes(2, 3) / q.dtype.type(math.sqrt(q.shape[3]))
    if causal:
        scores += _mask(q.shape[2], q.dtype)
    if hidden is not None:
        scores += hidden
    probs = np.exp(scores - scores.max(axis=3, keepdims=True))
    return scores, probs / probs.sum(axis=3, keepdims=True)
