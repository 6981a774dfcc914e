"""Gradients of the integer model, as if nothing were rounded (arXiv 1308.3432).

The forward is the golden model's: every value below is an integer of its trace, decoded. The
backward is that of the float graph in `quant/folded.py` at these values, with the weights that the
codes stand for. Where a value lies at the end of its format it cannot follow, so its gradient is 0.

B rows of T positions, N = B*T, D = d_model, F = d_ff, H heads, of keys and values G.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from configs.schema import ModelConfig
from model import layers
from model.attention import share_heads
from model.block import ACTIVATIONS
from quant import ops
from quant.qmodel import QuantModel

Array = np.ndarray
LN2 = float(np.log(2.0))
GATED = ("ffn_gate", "ffn_up")  # stages of SwiGLU only
BOUNDED = ("q", "k", "v", "attn_out", "ffn_hidden", *GATED)  # formats that may clip a little


@dataclass
class Values:
    """What the backward looks at: real arrays named as in the trace."""

    stages: dict[str, Array]  # [B, T, ...]; attn_probs [B, T, H, T] normalised
    weights: dict[str, Array]  # layers.{l}.q ... head: [out, in]
    biases: dict[str, Array]  # of what has an activation behind it, [F]
    eps: float
    inside: dict[str, Array] = field(default_factory=dict)  # false where a stage is saturated

    def flat(self, stage: str) -> Array:
        """A stage as rows [N, ...]."""
        value = self.stages[stage]
        return value.reshape(-1, value.shape[-1])

    def through(self, stage: str, gradient: Array) -> Array:
        """The gradient [N, ...] of what a stage would be without its ends."""
        inside = self.inside.get(stage)
        return gradient if inside is None else gradient * inside.reshape(gradient.shape)


def decode(qm: QuantModel, trace: dict[str, Array], weights: dict[str, Array]) -> Values:
    """Real values, float32, of a batch trace of `GoldenModel.forward`."""
    embed = qm.formats["embed"]
    eps = qm.eps_int * embed.step**2 / qm.config["d_model"]
    values = Values({"embed": _real(trace, qm, "embed")}, weights, {}, eps)
    for index, layer in enumerate(qm.layers):
        name = f"layers.{index}."
        for stage in (*BOUNDED, "attn_residual", "ffn_residual"):
            if layer.gate is None and stage in GATED:
                continue
            values.stages[name + stage] = _real(trace, qm, name + stage)
            if stage in BOUNDED:
                top = qm.formats[name + stage].max_int
                values.inside[name + stage] = np.abs(trace[name + stage]) < top
        probs = trace[name + "attn_probs"].astype(np.float32)
        values.stages[name + "attn_probs"] = probs / np.maximum(
            probs.sum(axis=-1, keepdims=True),
            1,  # 0 at padding
        )
        part, linear = ("up", layer.up) if layer.gate is None else ("gate", layer.gate)
        unit = np.float32(2.0 ** -(linear.out_frac + ops.GUARD_BITS))
        values.biases[name + part] = (linear.bias - ops.ROUND_BIAS).astype(np.float32) * unit
    return values


def _real(trace: dict[str, Array], qm: QuantModel, stage: str) -> Array:
    return trace[stage].astype(np.float32) * np.float32(qm.formats[stage].step)


def backward(
    values: Values, tokens: Array, dlogits: Array, config: ModelConfig, vocab_size: int
) -> dict[str, Array]:
    """Gradients by name: `layers.{l}.q.weight` [out, in], `.bias`, ..., embed_tok, embed_pos.

    tokens [B, T]; dlogits [B, T, V].
    """
    grads: dict[str, Array] = {}
    names = ["embed"] + [f"layers.{index}.ffn_residual" for index in range(config.n_layers)]
    rows = dlogits.reshape(-1, dlogits.shape[-1])  # [N, V]
    dx = _normed(grads, values, names[-1], ["head"], [rows])
    for index in reversed(range(config.n_layers)):
        prefix = f"layers.{index}."
        dx = _ffn(grads, values, prefix, dx, config)
        dx = _attention(grads, values, prefix, names[index], dx, config)
    grads["embed_tok"] = layers.embedding_backward(dx, tokens.reshape(-1), vocab_size)
    if config.positions != "rotary":
        used = dx.reshape(*tokens.shape, -1).sum(axis=0)  # [T, D]
        grads["embed_pos"] = np.zeros((config.context, used.shape[1]), used.dtype)
        grads["embed_pos"][: len(used)] = used
    return grads


def _linear(grads: dict[str, Array], values: Values, name: str, x: Array, dy: Array) -> Array:
    """y = x W^T + b: notes dW and db, returns dx [N, in]."""
    grads[name + ".weight"] = dy.T @ x
    grads[name + ".bias"] = layers.column_sum(dy)
    return dy @ values.weights[name]


def _unit_rows(values: Values, stage: str) -> tuple[Array, Array]:
    """Normalised rows [N, D] of a residual, and the factor 1/rms [N, 1]."""
    x = values.flat(stage)
    power = np.einsum("nd,nd->n", x, x) / x.shape[1]
    factor = (1 / np.sqrt(power + values.eps))[:, None].astype(x.dtype)
    return x * factor, factor


def _normed(
    grads: dict[str, Array], values: Values, stage: str, readers: list[str], dys: list[Array]
) -> Array:
    """The matrices that read one norm of the residual `stage`: dx [N, D] of that residual."""
    unit, factor = _unit_rows(values, stage)
    dunit = np.zeros_like(unit)
    for name, dy in zip(readers, dys, strict=True):
        dunit += _linear(grads, values, name, unit, dy)
    along = np.einsum("nd,nd->n", dunit, unit) / unit.shape[1]
    dunit -= unit * along[:, None]
    dunit *= factor
    return dunit


def _ffn(
    grads: dict[str, Array], values: Values, prefix: str, dx: Array, config: ModelConfig
) -> Array:
    """From the gradient of ffn_residual [N, D] to that of attn_residual."""
    dhidden = _linear(grads, values, prefix + "down", values.flat(prefix + "ffn_hidden"), dx)
    dhidden = values.through(prefix + "ffn_hidden", dhidden)
    if config.activation == "swiglu":
        gate, up = (values.flat(prefix + stage) for stage in GATED)
        dgate = values.through(prefix + "ffn_gate", dhidden * up)
        dup = values.through(prefix + "ffn_up", dhidden * gate)
        dgate *= _slope(values, prefix, "gate", "silu")
        readers, dys = ["gate", "up"], [dgate, dup]
    else:
        dhidden *= _slope(values, prefix, "up", config.activation)
        readers, dys = ["up"], [dhidden]
    names = [prefix + reader for reader in readers]
    return dx + _normed(grads, values, prefix + "attn_residual", names, dys)


def _slope(values: Values, prefix: str, part: str, activation: str) -> Array:
    """Of the activation behind a step [N, F]; what is before it is no stage, and computed anew."""
    if activation == "relu":
        return values.flat(prefix + "ffn_hidden") > 0
    unit, _ = _unit_rows(values, prefix + "attn_residual")
    z = unit @ values.weights[prefix + part].T + values.biases[prefix + part]
    forward, backward = ACTIVATIONS[activation]
    return backward(np.ones_like(z), forward(z)[1])


def _attention(
    grads: dict[str, Array],
    values: Values,
    prefix: str,
    before: str,
    dx: Array,
    config: ModelConfig,
) -> Array:
    """From the gradient of attn_residual [N, D] to that of the residual `before` this layer."""
    b, t, _ = values.stages[before].shape
    out = values.flat(prefix + "attn_out")
    dout = values.through(prefix + "attn_out", _linear(grads, values, prefix + "o", out, dx))

    def heads(rows: Array) -> Array:
        split = rows.reshape(b, t, -1, config.d_head).swapaxes(1, 2)  # [B, H or G, T, d_head]
        return share_heads(split, config.n_heads)

    q, k, v = (heads(values.stages[prefix + part]) for part in "qkv")  # each [B, H, T, d_head]
    probs = values.stages[prefix + "attn_probs"].swapaxes(1, 2)  # [B, H, T, T]
    dmixed = heads(dout)
    dscores = dmixed @ v.swapaxes(-1, -2)
    dscores -= np.einsum("bhts,bhts->bht", dscores, probs)[..., None]
    dscores *= probs
    dscores *= LN2  # scores are octaves
    turned = {
        "q": dscores @ k,
        "k": dscores.swapaxes(-1, -2) @ q,
        "v": probs.swapaxes(-1, -2) @ dmixed,
    }
    dys = []
    for part, gradient in turned.items():
        count = config.n_heads if part == "q" else config.kv_heads
        shared = gradient.reshape(b, count, -1, t, config.d_head).sum(axis=2)
        rows = np.ascontiguousarray(shared.swapaxes(1, 2))  # [B, T, H or G, d_head]
        rows = values.through(prefix + part, rows)
        if part != "v" and config.positions == "rotary":
            layers.rotate(rows, layers.rotary_table(t, config.d_head, rows.dtype).conj())
        dys.append(rows.reshape(b * t, -1))
    return dx + _normed(grads, values, before, [prefix + part for part in turned], dys)
