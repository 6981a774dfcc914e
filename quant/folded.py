"""Float forward pass of the folded model, stage by stage as the integer machine computes it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from model.attention import share_heads
from model.gelu import gelu_exact_forward
from model.layers import gelu, silu_forward
from quant.fold import Array, Folded, FoldedLayer, FoldedLinear

Note = Callable[[str, Array], Array]
ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "relu": lambda z: np.maximum(z, 0),
    "gelu": gelu,
    "gelu_exact": lambda z: gelu_exact_forward(z)[0],
    "silu": lambda z: silu_forward(z)[0],
    "swiglu": lambda z: silu_forward(z)[0],  # of the gate
}


def forward(folded: Folded, tokens: Array, note: Note | None = None) -> Array:
    """Logits [B, T, V] of tokens [B, T].

    `note(stage, value)` sees the values of every stage, by its name in the trace, and returns those
    to go on with: the same, or others to see what they do. attn_probs are not yet divided by their
    sum, which is attn_recip. Of norms it sees the whole normalised row, which the integer machine
    never forms and nothing reads, and their factor as `<stage>.scalar`. Beyond the stages it sees
    `<stage>.acc` (the matrix product before scalar and bias), `<stage>.z` (q and k before rotation,
    ffn_hidden, or of SwiGLU ffn_gate, before its activation) and `<stage>.delta` (what is added to
    the residual).
    """
    note = note or _unchanged
    x = folded.embed_tok[tokens]  # [B, T, D]
    if folded.embed_pos is not None:
        x = x + folded.embed_pos[: tokens.shape[1]]
    x = note("embed", x)
    for index, layer in enumerate(folded.layers):
        note_layer = _prefixed(note, f"layers.{index}.")
        x = _attention(folded, layer, x, note_layer)
        x = _ffn(folded, layer, x, note_layer)
    scalar = _inverse_rms(folded, x, "final_norm", note)
    return note("logits", _linear(folded.head, x, scalar, "logits", note))


def _unchanged(stage: str, value: Array) -> Array:
    """The note that nobody takes."""
    return value


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


def _attention(folded: Folded, layer: FoldedLayer, x: Array, note: Note) -> Array:
    b, t, d = x.shape
    scalar = _inverse_rms(folded, x, "attn_norm", note)
    heads = []
    for name in "qkv":
        z = _linear(getattr(layer, name), x, scalar, name, note)
        z = note(name + ".z", z)
        z = z.reshape(b, t, -1, folded.config.d_head)
        if name != "v" and folded.config.positions == "rotary":
            z = _rotate(z)
        z = note(name, z.reshape(b, t, -1)).reshape(z.shape)
        heads.append(share_heads(z.swapaxes(1, 2), folded.config.n_heads))  # [B, H, T, d_head]
    q, k, v = heads
    visible = np.tril(np.ones((t, t), bool))
    scores = q @ k.swapaxes(-1, -2)  # [B, H, T, T]
    _note_visible("attn_scores", scores, visible, note)
    scores = np.where(visible, scores, -np.inf)
    probs = np.exp2(scores - scores.max(axis=-1, keepdims=True))
    _note_visible("attn_probs", probs, visible, note)
    total = note("attn_recip", probs.sum(axis=-1, keepdims=True))
    mixed = note("attn_out.acc", probs @ v)
    out = note("attn_out", (mixed / total).swapaxes(1, 2).reshape(b, t, d))
    delta = _linear(layer.o, out, 1.0, "attn_residual", note)
    return note("attn_residual", x + note("attn_residual.delta", delta))


def _note_visible(name: str, value: Array, visible: Array, note: Note) -> None:
    """Note what attention [B, H, T, T] looks at, and put in place what comes back."""
    if note is _unchanged:
        return
    before = value[..., visible]
    after = note(name, before)
    if after is not before:
        value[..., visible] = after


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
