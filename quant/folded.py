"""Float forward pass of the folded model, stage by stage as the integer machine computes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from model.attention import share_heads
from model.gelu import gelu_exact_forward
from model.layers import gelu, silu_forward
from quant.fold import Array, Folded, FoldedAttention, FoldedLayer, FoldedLinear

Note = Callable[[str, Array], Array]
HEAD_STAGES = ("_scores", "_probs", "_recip", "_out.acc")  # with leading axes [B, H]
ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "relu": lambda z: np.maximum(z, 0),
    "gelu": gelu,
    "gelu_exact": lambda z: gelu_exact_forward(z)[0],
    "silu": lambda z: silu_forward(z)[0],
    "swiglu": lambda z: silu_forward(z)[0],  # of the gate
}


class Memory(NamedTuple):
    """What the encoder gives: residuals [B, S, D], their norm's scalar [B, S, 1], what is real."""

    x: Array
    scalar: Array
    mask: Array | None


def forward(
    folded: Folded,
    tokens: Array,
    note: Note | None = None,
    *,
    mask: Array | None = None,
    source: Array | None = None,
    source_mask: Array | None = None,
) -> Array:
    """Logits [B, T, V] of tokens [B, T]; mask, source, source_mask as in `model.transformer`.

    `note(stage, value)` sees the values of every stage, by its name in the trace, and returns those
    to go on with: the same, or others to see what they do. attn_probs are not yet divided by their
    sum, which is attn_recip. Of norms it sees the whole normalised row, which the integer machine
    never forms and nothing reads, and their factor as `<stage>.scalar`. Beyond the stages it sees
    `<stage>.acc` (the matrix product before scalar and bias), `<stage>.z` (q and k before rotation,
    ffn_hidden, or of SwiGLU ffn_gate, before its activation) and `<stage>.delta` (what is added to
    the residual). Stages of the encoder begin with `encoder.`; at padding there is nothing to see.
    """
    note, memory = note or _unchanged, None
    if source is not None:
        encoder = _prefixed(note, "encoder.")
        x, scalar = _stack(folded, folded.encoder, source, encoder, source_mask, causal=False)
        memory = Memory(x, scalar, source_mask)
    causal = folded.config.kind != "encoder"
    x, scalar = _stack(folded, folded.layers, tokens, note, mask, causal, memory)
    note = _unpadded(note, mask)
    return note("logits", _linear(folded.head, x, scalar, "logits", note))


def _stack(
    folded: Folded,
    layers: tuple[FoldedLayer, ...],
    tokens: Array,
    note: Note,
    mask: Array | None,
    causal: bool,
    memory: Memory | None = None,
) -> tuple[Array, Array]:
    """Residuals [B, T, D] after all layers, and the scalar [B, T, 1] of the last norm."""
    rows = _unpadded(note, mask)
    x = folded.embed_tok[tokens]  # [B, T, D]
    if folded.embed_pos is not None:
        x = x + folded.embed_pos[: tokens.shape[1]]
    x = rows("embed", x)
    visible = visible_keys(tokens.shape[1], tokens.shape[1], mask, causal)
    for index, layer in enumerate(layers):
        prefix = f"layers.{index}."
        x = _attention(folded, layer, x, visible, _prefixed(rows, prefix))
        if layer.cross is not None and memory is not None:
            source = _prefixed(_unpadded(note, memory.mask), prefix)
            x = _cross_attention(folded, layer.cross, x, memory, _prefixed(rows, prefix), source)
        x = _ffn(folded, layer, x, _prefixed(rows, prefix))
    return x, _inverse_rms(folded, x, "final_norm", rows)


def _unchanged(stage: str, value: Array) -> Array:
    """The note that nobody takes."""
    return value


def visible_keys(queries: int, keys: int, mask: Array | None, causal: bool) -> Array:
    """What queries look at: bool [T, S], or [B, 1, T, S] with a mask [B, S] of the real keys."""
    visible = np.ones((queries, keys), bool)
    if causal:
        visible = np.tril(visible)
    return visible if mask is None else visible & mask[:, None, None]


def _unpadded(note: Note, mask: Array | None) -> Note:
    """A note that sees of [B, T, ...] only the rows where mask [B, T] is true."""
    if mask is None or note is _unchanged:
        return note

    def see(stage: str, value: Array) -> Array:
        if stage.endswith(HEAD_STAGES):
            return note(stage, value)
        before = value[mask]
        after = note(stage, before)
        if after is not before:
            value = value.copy()
            value[mask] = after
        return value

    return see


def _prefixed(note: Note, prefix: str) -> Note:
    return note if note is _unchanged else lambda stage, value: note(prefix + stage, value)


def _inverse_rms(folded: Folded, x: Array, name: str, note: Note) -> Array:
    scalar = 1 / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + folded.eps)  # [B, T, 1]
    scalar = note(name + ".scalar", scalar)
    note(name, x * scalar)
    return scalar


def _linear(linear: FoldedLinear, x: Array, scalar: Array | float, name: str, note: Note) -> Array:
    acc = note(name + ".acc", x @ linear.weight.T)
    return acc * scalar + linear.bias


def _attention(folded: Folded, layer: FoldedLayer, x: Array, visible: Array, note: Note) -> Array:
    """x [B, T, D] plus self-attention; visible [T, T] or [B, 1, T, T]."""
    scalar = _inverse_rms(folded, x, "attn_norm", note)
    turned = folded.config.positions == "rotary"
    q, k, v = (
        _heads(folded, linear, x, scalar, name, turned and name != "v", note)
        for name, linear in (("q", layer.q), ("k", layer.k), ("v", layer.v))
    )
    return _attend(layer.o, x, q, k, v, visible, "attn", note)


def _cross_attention(
    folded: Folded, cross: FoldedAttention, x: Array, memory: Memory, note: Note, source: Note
) -> Array:
    """x [B, T, D] plus attention to the encoder's output; `source` sees rows [B, S, ...]."""
    scalar = _inverse_rms(folded, x, "cross_norm", note)
    q = _heads(folded, cross.q, x, scalar, "cross_q", False, note)
    k, v = (
        _heads(folded, linear, memory.x, memory.scalar, name, False, source)
        for name, linear in (("cross_k", cross.k), ("cross_v", cross.v))
    )
    visible = visible_keys(x.shape[1], memory.x.shape[1], memory.mask, causal=False)
    return _attend(cross.o, x, q, k, v, visible, "cross", note)


def _heads(
    folded: Folded,
    linear: FoldedLinear,
    x: Array,
    scalar: Array,
    name: str,
    turned: bool,
    note: Note,
) -> Array:
    """q, k or v [B, H, T, d_head] of x [B, T, D]."""
    z = note(name + ".z", _linear(linear, x, scalar, name, note))
    z = z.reshape(*x.shape[:2], -1, folded.config.d_head)
    if turned:
        z = _rotate(z)
    z = note(name, z.reshape(*x.shape[:2], -1)).reshape(z.shape)
    return share_heads(z.swapaxes(1, 2), folded.config.n_heads)


def _attend(
    o: FoldedLinear, x: Array, q: Array, k: Array, v: Array, visible: Array, part: str, note: Note
) -> Array:
    """x plus o of softmax(2^(q k^T)) v; part: attn or cross."""
    scores = q @ k.swapaxes(-1, -2)  # [B, H, T, S]
    _note_visible(part + "_scores", scores, visible, note)
    scores = np.where(visible, scores, -np.inf)
    probs = np.exp2(scores - scores.max(axis=-1, keepdims=True))
    _note_visible(part + "_probs", probs, visible, note)
    total = note(part + "_recip", probs.sum(axis=-1, keepdims=True))
    mixed = note(part + "_out.acc", probs @ v)
    out = note(part + "_out", (mixed / total).swapaxes(1, 2).reshape(x.shape))
    delta = _linear(o, out, 1.0, part + "_residual", note)
    return note(part + "_residual", x + note(part + "_residual.delta", delta))


def _note_visible(name: str, value: Array, visible: Array, note: Note) -> None:
    """Note what attention [B, H, T, S] looks at, and put in place what comes back."""
    if note is _unchanged:
        return
    seen = (..., visible) if visible.ndim == 2 else np.broadcast_to(visible, value.shape)
    before = value[seen]
    after = note(name, before)
    if after is not before:
        value[seen] = after


def _rotate(z: Array) -> Array:
    """Rotary positions on the adjacent pairs of z [B, T, H, d_head] (arXiv 2104.09864)."""
    _, t, _, d_head = z.shape
    angle = np.arange(t)[:, None] * 10000.0 ** (-np.arange(0, d_head, 2) / d_head)  # [T, d_head/2]
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    even, odd = z[..., 0::2], z[..., 1::2]
    return np.stack([even * cos - odd * sin, even * sin + odd * cos], axis=-1).reshape(z.shape)


def _ffn(folded: Folded, layer: FoldedLayer, x: Array, note: Note) -> Array:
    scalar = _inverse_rms(folded, x, "ffn_norm", note)
    activation = ACTIVATIONS[folded.config.activation]
    if layer.gate is None:
        z = note("ffn_hidden.z", _linear(layer.up, x, scalar, "ffn_hidden", note))
        hidden = activation(z)
    else:
        z = note("ffn_gate.z", _linear(layer.gate, x, scalar, "ffn_gate", note))
        gate = note("ffn_gate", activation(z))
        hidden = gate * note("ffn_up", _linear(layer.up, x, scalar, "ffn_up", note))
    hidden = note("ffn_hidden", hidden)
    delta = _linear(layer.down, hidden, 1.0, "ffn_residual", note)
    return note("ffn_residual", x + note("ffn_residual.delta", delta))
