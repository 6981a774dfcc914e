"""Attention to keys that are all there: of an encoder, and of a decoder to its encoder's output.

`quant.ops` on int64 arrays, as `docs/numerics.md` says it. A decoder's attention to itself, which
grows with the sequence and has to be fast, is in `golden` and `batch`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from configs.cli import UserError
from quant import exact, ops
from quant.qmodel import Attention, Layer, Linear, QuantModel

Array = np.ndarray
Stages = dict[str, Array]
X_MAX = ops.limit(16)  # no input of a matrix step is larger
FAR_BELOW = -(1 << 40)  # score of a hidden position: its probability is 0 at any maximum


class Memory(NamedTuple):
    """What a query may look at. Of cross-attention, it does not change during a request."""

    keys: Array  # [B, G, S, d_head]
    values: Array
    visible: Array  # bool [B, 1, 1, S]


def check_mask(mask: Array | None, shape: tuple[int, int]) -> Array:
    """Which tokens [B, T] are real; UserError unless padding stands on the right of each row."""
    if mask is None:
        return np.ones(shape, bool)
    if mask.shape != shape or mask.dtype != bool:
        raise UserError(f"mask: {mask.dtype} {mask.shape}, not bool {shape} (rows, tokens)")
    if not mask[:, 0].all() or (mask[:, 1:] > mask[:, :-1]).any():
        raise UserError("mask: padding must stand on the right, after at least one real token")
    return mask


def product(a: Array, b: Array, bound: int) -> Array:
    """int64 a [..., m, n] @ b [..., n, p] for sums whose magnitude stays <= bound."""
    kind = exact.carrier(bound)
    return exact.whole(exact.real(a, kind) @ exact.real(b, kind))


def linear(step: Linear, x: Array, scalar: tuple[Array, Array] | None = None) -> Array:
    """A matrix step of x [..., in], with its scalar (r, k), each [...]."""
    weight = ops.ints(step.weight)
    acc = product(x, weight.T, X_MAX * int(np.abs(weight).sum(axis=1).max()))
    mantissa, k = (ops.ONE, 0) if scalar is None else (part[..., None] for part in scalar)
    return ops.requantize(acc, step.shift, mantissa, step.exponent + k, step.bias, step.out_bits)


def norm(qm: QuantModel, x: Array) -> tuple[Array, Array]:
    """Norm scalar (r, k), each [B, T], of residuals [B, T, D]."""
    rsqrt = qm.tables["rsqrt"]
    assert rsqrt is not None
    return ops.norm_scalar((x * x).sum(axis=-1) + qm.eps_int, rsqrt)


def heads(qm: QuantModel, rows: Array) -> Array:
    """[B, T, heads * d_head] as [B, heads, T, d_head]."""
    return rows.reshape(*rows.shape[:2], -1, qm.d_head).swapaxes(1, 2)


def attend(qm: QuantModel, part: Layer | Attention, q: Array, memory: Memory, name: str) -> Stages:
    """Stages {name}_scores to {name}_out of q [B, H, T, d_head]; name: "layers.0.attn", say."""
    exp2, recip = qm.tables["exp2"], qm.tables["recip"]
    assert exp2 is not None
    assert recip is not None
    served = q.shape[1] // memory.keys.shape[1]
    k, v = (array.repeat(served, axis=1) for array in memory[:2])
    bound = max(k.shape[2:]) * X_MAX**2
    acc, e = product(q, k.swapaxes(-1, -2), bound), part.scores_exponent  # [B, H, T, S]
    scores = ops.requantize(acc, part.scores_shift, ops.ONE, e, ops.ROUND_BIAS, 16)
    probs = ops.softmax_probs(np.where(memory.visible, scores, FAR_BELOW), exp2)
    mantissa, exponent = ops.recip_scalar(probs.sum(axis=-1), recip)  # [B, H, T]
    scalar = mantissa[..., None], part.out_exponent + exponent[..., None]
    bits = qm.formats[name + "_out"].bits
    mixed = product(probs, v, bound)  # [B, H, T, d_head]
    out = ops.requantize(mixed, part.out_shift, *scalar, ops.ROUND_BIAS, bits)
    stages = {
        "scores": np.where(memory.visible, scores, 0),
        "probs": probs,
        "recip": np.stack([mantissa, exponent], axis=-1),
        "out": out,
    }
    rows = {f"{name}_{stage}": value.swapaxes(1, 2) for stage, value in stages.items()}
    return rows | {name + "_out": rows[name + "_out"].reshape(len(q), q.shape[2], -1)}


def remember(qm: QuantModel, x: Array, mask: Array) -> tuple[list[Memory], Stages]:
    """What each layer of the decoder sees of the encoder's residual [B, S, D]; mask: bool [B, S].

    The stages are encoder.final_norm [B, S, 2] and, of each layer, cross_k and cross_v.
    """
    scalar = norm(qm, x)
    stages, memory = {"encoder.final_norm": np.stack(scalar, axis=-1)}, []
    for prefix, layer in qm.named_layers():
        if layer.cross is not None:
            k, v = (linear(step, x, scalar) for step in (layer.cross.k, layer.cross.v))
            stages |= {prefix + "cross_k": k, prefix + "cross_v": v}
            memory.append(Memory(heads(qm, k), heads(qm, v), mask[:, None, None]))
    return memory, stages


def cross(qm: QuantModel, prefix: str, part: Attention, x: Array, memory: Memory) -> Stages:
    """Stages cross_norm to cross_residual [B, T, D] of residuals x [B, T, D]."""
    scalar = norm(qm, x)
    q, name = linear(part.q, x, scalar), prefix + "cross"
    attended = attend(qm, part, heads(qm, q), memory, name)
    residual = ops.residual_add(x, linear(part.o, attended[name + "_out"]), qm.residual_bits)
    return {
        name + "_norm": np.stack(scalar, axis=-1),
        name + "_q": q,
        **attended,
        name + "_residual": residual,
    }
