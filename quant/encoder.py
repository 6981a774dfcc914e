"""The encoder of the golden model: whole texts at once, each position sees every real one."""

from __future__ import annotations

import numpy as np

from quant import attention, ops
from quant.qmodel import Layer, QuantModel

Array = np.ndarray
Stages = dict[str, Array]


def run(qm: QuantModel, tokens: Array, mask: Array) -> tuple[Array, Stages]:
    """Residual [B, T, D] after all layers of the encoder, and every stage, [B, T, ...].

    tokens [B, T]; mask: bool [B, T], false at padding. A model of kind "encoder" has no prefix, in
    an encoder-decoder the stages begin with "encoder.".
    """
    prefix = "encoder." if qm.encoder else ""
    positions = None if qm.embed_pos is None else qm.embed_pos[: tokens.shape[1]]
    x = ops.embed(ops.ints(qm.embed_tok)[tokens], positions, qm.residual_bits)
    stages = {prefix + "embed": x}
    for index, layer in enumerate(qm.encoder or qm.layers):
        stages |= _layer(qm, layer, x, mask, f"{prefix}layers.{index}.")
        x = stages[f"{prefix}layers.{index}.ffn_residual"]
    return x, stages


def logits(qm: QuantModel, tokens: Array, mask: Array) -> Stages:
    """Every stage of a model of kind "encoder", the logits [B, T, V] last."""
    x, stages = run(qm, tokens, mask)
    scalar = attention.norm(qm, x)
    stages |= {"final_norm": np.stack(scalar, axis=-1)}
    return stages | {"logits": attention.linear(qm.head, x, scalar)}


def _layer(qm: QuantModel, layer: Layer, x: Array, mask: Array, prefix: str) -> Stages:
    """Stages of one layer, residuals [B, T, D]."""
    scalar = attention.norm(qm, x)
    q, k, v = (attention.linear(step, x, scalar) for step in (layer.q, layer.k, layer.v))
    q, k = (_turn(qm, part, linear.out_bits) for part, linear in ((q, layer.q), (k, layer.k)))
    queries, keys, values = (attention.heads(qm, part) for part in (q, k, v))
    memory = attention.Memory(keys, values, mask[:, None, None])
    attended = attention.attend(qm, layer, queries, memory, prefix + "attn")
    out = attention.linear(layer.o, attended[prefix + "attn_out"])
    mid = ops.residual_add(x, out, qm.residual_bits)
    ffn_norm = attention.norm(qm, mid)
    hidden = _hidden(qm, layer, mid, ffn_norm, prefix)
    down = attention.linear(layer.down, hidden[prefix + "ffn_hidden"])
    return {
        prefix + "attn_norm": np.stack(scalar, axis=-1),
        prefix + "q": q,
        prefix + "k": k,
        prefix + "v": v,
        **attended,
        prefix + "attn_residual": mid,
        prefix + "ffn_norm": np.stack(ffn_norm, axis=-1),
        **hidden,
        prefix + "ffn_residual": ops.residual_add(mid, down, qm.residual_bits),
    }


def _turn(qm: QuantModel, rows: Array, bits: int) -> Array:
    """q or k [B, T, heads * d_head], turned when positions are rotary."""
    cos, sin = qm.tables["cos"], qm.tables["sin"]
    if cos is None or sin is None:
        return rows
    count = rows.shape[1]
    turned = ops.rotate(attention.heads(qm, rows), cos[:count], sin[:count], bits)
    return turned.swapaxes(1, 2).reshape(rows.shape)


def _hidden(
    qm: QuantModel, layer: Layer, x: Array, scalar: tuple[Array, Array], prefix: str
) -> Stages:
    """Stages of the FFN's hidden layer."""

    def activate(z: Array) -> Array:
        bump = qm.tables["bump"]
        return ops.relu(z) if bump is None else ops.gelu(z, bump, qm.bump_shift)

    up = attention.linear(layer.up, x, scalar)
    hidden_format = qm.formats[prefix + "ffn_hidden"]
    if layer.gate is None:
        lifted = ops.lift(activate(up), hidden_format.zero, hidden_format.bits)
        return {prefix + "ffn_hidden": lifted}
    gate = activate(attention.linear(layer.gate, x, scalar))
    hidden = ops.gated(gate, up, layer.hidden_shift, hidden_format.bits)
    return {prefix + "ffn_gate": gate, prefix + "ffn_up": up, prefix + "ffn_hidden": hidden}
