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
from model.attention import put_or_add, share_heads
from model.block import ACTIVATIONS
from quant import ops
from quant.qmodel import QuantModel

Array = np.ndarray
LN2 = float(np.log(2.0))
QUERIES = 64  # of a block in the attention: with causality it meets no later keys
GATED = ("ffn_gate", "ffn_up")  # stages of SwiGLU only
CROSS = ("cross_q", "cross_k", "cross_v", "cross_out")  # in the decoder of an encoder-decoder only
BOUNDED = ("q", "k", "v", "attn_out", "ffn_hidden", *GATED, *CROSS)  # they may clip a little
RESIDUALS = ("attn_residual", "cross_residual", "ffn_residual")


@dataclass
class Values:
    """What the backward looks at: real arrays named as in the trace."""

    stages: dict[str, Array]  # [B, T, ...]; attn_probs [B, T, H, T] not normalised
    weights: dict[str, Array]  # layers.{l}.q ... head: [out, in]
    biases: dict[str, Array]  # of what has an activation behind it, [F]
    eps: float
    inside: dict[str, Array] = field(default_factory=dict)  # false where a stage is saturated
    units: dict[str, tuple[Array, Array]] = field(default_factory=dict)  # of `unit_rows`

    def flat(self, stage: str) -> Array:
        """A stage as rows [N, ...]."""
        value = self.stages[stage]
        return value.reshape(-1, value.shape[-1])

    def through(self, stage: str, gradient: Array) -> Array:
        """The gradient [N, ...] of what a stage would be without its ends."""
        inside = self.inside.get(stage)
        return gradient if inside is None else gradient * inside.reshape(gradient.shape)

    def unit_rows(self, stage: str) -> tuple[Array, Array]:
        """Normalised rows [N, D] of a residual, and the factor 1/rms [N, 1]; computed once."""
        if stage not in self.units:
            x = self.flat(stage)
            power = np.einsum("nd,nd->n", x, x) / x.shape[1]
            factor = (1 / np.sqrt(power + self.eps))[:, None].astype(x.dtype)
            self.units[stage] = x * factor, factor
        return self.units[stage]


def decode(qm: QuantModel, trace: dict[str, Array], weights: dict[str, Array]) -> Values:
    """Real values, float32, of a batch trace of `GoldenModel.forward`; in its place where that is
    float32 too."""
    embed = qm.formats["embed"]
    eps = qm.eps_int * embed.step**2 / qm.config["d_model"]
    values = Values({}, weights, {}, eps)
    for name in [stage for stage in trace if stage.endswith("embed")]:
        values.stages[name] = _real(trace, qm, name)
    for name, layer in qm.named_layers():
        for stage in [name + part for part in (*BOUNDED, *RESIDUALS) if name + part in trace]:
            if not stage.endswith(RESIDUALS):
                codes, top = trace[stage], qm.formats[stage].max_int
                if max(codes.max(), -codes.min()) >= top:
                    values.inside[stage] = np.abs(codes) < top
            values.stages[stage] = _real(trace, qm, stage)
        for stage in [name + part + "_probs" for part in ("attn", "cross")]:
            if stage in trace:
                values.stages[stage] = trace[stage].astype(np.float32, copy=False)
        part, linear = ("up", layer.up) if layer.gate is None else ("gate", layer.gate)
        unit = np.float32(2.0 ** -(linear.out_frac + ops.GUARD_BITS))
        values.biases[name + part] = (linear.bias - ops.ROUND_BIAS).astype(np.float32) * unit
    return values


def _real(trace: dict[str, Array], qm: QuantModel, stage: str) -> Array:
    fmt = qm.formats[stage]
    codes = trace[stage].astype(np.float32, copy=False)
    if fmt.zero:
        codes -= np.float32(fmt.zero)
    codes *= np.float32(fmt.step)
    return codes


def backward(
    values: Values,
    tokens: Array,
    dlogits: Array,
    config: ModelConfig,
    vocab_size: int,
    source: Array | None = None,
) -> dict[str, Array]:
    """Gradients by name: `layers.{l}.q.weight` [out, in], `.bias`, ..., embed_tok, embed_pos.

    tokens [B, T]; dlogits [B, T, V]; source [B, S] of an encoder-decoder.
    """
    grads: dict[str, Array] = {}
    rows = dlogits.reshape(-1, dlogits.shape[-1])  # [N, V]
    dx = _normed(grads, values, _residual("", config.n_layers), ["head"], [rows])
    dmemory = None if source is None else np.zeros((source.size, dx.shape[1]), dx.dtype)
    dx = _stack(grads, values, "", dx, config, dmemory)
    _embedding(grads, tokens, dx, config, vocab_size)
    if source is not None and dmemory is not None:
        dx = _through_norm(values, _residual("encoder.", config.n_layers), dmemory)
        dx = _stack(grads, values, "encoder.", dx, config, None)
        _embedding(grads, source, dx, config, vocab_size)
    return grads


def _residual(stack: str, layer: int) -> str:
    """The stage that layer `layer` of a stack reads."""
    return f"{stack}layers.{layer - 1}.ffn_residual" if layer else stack + "embed"


def _embedding(
    grads: dict[str, Array], tokens: Array, dx: Array, config: ModelConfig, vocab_size: int
) -> None:
    """Adds the gradients of the tables from that of the first residual [N, D]."""
    used = layers.embedding_backward(dx, tokens.reshape(-1), vocab_size)
    grads["embed_tok"] = grads.get("embed_tok", 0) + used
    if config.positions != "rotary":
        rows = np.zeros((config.context, dx.shape[1]), dx.dtype)
        rows[: tokens.shape[1]] = dx.reshape(*tokens.shape, -1).sum(axis=0)
        grads["embed_pos"] = grads.get("embed_pos", 0) + rows


def _stack(
    grads: dict[str, Array],
    values: Values,
    stack: str,
    dx: Array,
    config: ModelConfig,
    dmemory: Array | None,
) -> Array:
    """From the last residual [N, D] of a stack to its first.

    Adds to dmemory, the gradient of the encoder's normalised output [B*S, D].
    """
    for index in reversed(range(config.n_layers)):
        prefix = f"{stack}layers.{index}."
        middle = prefix + ("attn_residual" if dmemory is None else "cross_residual")
        dx = _ffn(grads, values, prefix, middle, dx, config)
        if dmemory is not None:
            dq, dk, dv = _attend(grads, values, prefix + "cross_", "cross", dx, config)
            unit, _ = values.unit_rows(_residual("encoder.", config.n_layers))
            for part, dy in (("cross_k", dk), ("cross_v", dv)):
                dmemory += _linear(grads, values, prefix + part, unit, dy)
            dx = dx + _normed(grads, values, prefix + "attn_residual", [prefix + "cross_q"], [dq])
        dys = _attend(grads, values, prefix, "attn", dx, config)
        names = [prefix + part for part in "qkv"]
        dx = dx + _normed(grads, values, _residual(stack, index), names, dys)
    return dx


def _linear(grads: dict[str, Array], values: Values, name: str, x: Array, dy: Array) -> Array:
    """y = x W^T + b: notes dW and db, returns dx [N, in]."""
    grads[name + ".weight"] = dy.T @ x
    grads[name + ".bias"] = layers.column_sum(dy)
    return dy @ values.weights[name]


def _normed(
    grads: dict[str, Array], values: Values, stage: str, readers: list[str], dys: list[Array]
) -> Array:
    """The matrices that read one norm of the residual `stage`: dx [N, D] of that residual."""
    unit, _ = values.unit_rows(stage)
    dunit, *others = (
        _linear(grads, values, name, unit, dy) for name, dy in zip(readers, dys, strict=True)
    )
    for other in others:
        dunit += other
    return _through_norm(values, stage, dunit)


def _through_norm(values: Values, stage: str, dunit: Array) -> Array:
    """From the gradient of a normalised residual [N, D], in its place, to that of the residual."""
    unit, factor = values.unit_rows(stage)
    along = np.einsum("nd,nd->n", dunit, unit) / unit.shape[1]
    dunit -= unit * along[:, None]
    dunit *= factor
    return dunit


def _ffn(
    grads: dict[str, Array],
    values: Values,
    prefix: str,
    before: str,
    dx: Array,
    config: ModelConfig,
) -> Array:
    """From the gradient of ffn_residual [N, D] to that of the residual `before` it."""
    dhidden = _linear(grads, values, prefix + "down", values.flat(prefix + "ffn_hidden"), dx)
    dhidden = values.through(prefix + "ffn_hidden", dhidden)
    if config.activation == "swiglu":
        gate, up = (values.flat(prefix + stage) for stage in GATED)
        dgate = values.through(prefix + "ffn_gate", dhidden * up)
        dup = values.through(prefix + "ffn_up", dhidden * gate)
        readers, dys = ["gate", "up"], [_active(values, prefix, before, "gate", "silu", dgate), dup]
    else:
        readers = ["up"]
        dys = [_active(values, prefix, before, "up", config.activation, dhidden)]
    names = [prefix + reader for reader in readers]
    return dx + _normed(grads, values, before, names, dys)


def _active(
    values: Values, prefix: str, before: str, part: str, activation: str, dy: Array
) -> Array:
    """Through the activation behind a step, dy [N, F], which is used up; what is before it is no
    stage, and computed anew."""
    if activation == "relu":
        dy *= values.flat(prefix + "ffn_hidden") > 0
        return dy
    unit, _ = values.unit_rows(before)
    z = unit @ values.weights[prefix + part].T
    z += values.biases[prefix + part]
    forward, backward = ACTIVATIONS[activation]
    return backward(dy, forward(z)[1])


def _attend(
    grads: dict[str, Array],
    values: Values,
    prefix: str,
    name: str,
    dx: Array,
    config: ModelConfig,
) -> list[Array]:
    """From the gradient of {name}_residual [N, D] to those of what gives q, k and v, [N, ...].

    name: attn or cross; prefix: of the stages and matrices q, k, v and o.
    """
    layer = prefix.removesuffix("cross_")
    out = _linear(grads, values, prefix + "o", values.flat(f"{layer}{name}_out"), dx)
    dout = values.through(f"{layer}{name}_out", out)
    probs = values.stages[f"{layer}{name}_probs"].swapaxes(1, 2)  # [B, H, T, S]
    causal = name == "attn" and config.kind != "encoder" and not layer.startswith("encoder.")

    def heads(rows: Array) -> Array:
        split = rows.reshape(len(probs), -1, rows.shape[-1] // config.d_head, config.d_head)
        return share_heads(split.swapaxes(1, 2), config.n_heads)  # [B, H, T or S, d_head]

    q, k, v = (heads(values.stages[prefix + part]) for part in "qkv")
    dmixed = heads(dout)
    rows = [np.empty(x.swapaxes(1, 2).shape, x.dtype) for x in (q, k, v)]  # [B, T or S, H, d_head]
    dq, dk, dv = (gradient.swapaxes(1, 2) for gradient in rows)
    q, k = q * np.float32(LN2), k * np.float32(LN2)  # scores are octaves
    for lo in reversed(range(0, probs.shape[2], QUERIES)):
        block = slice(lo, lo + QUERIES)
        seen = slice(lo + QUERIES if causal else None)
        first = lo + QUERIES >= probs.shape[2]  # it meets every key: what others add to is written
        p = probs[:, :, block, seen]
        total = np.maximum(p @ np.ones((p.shape[3], 1), p.dtype), 1)  # 0 at padding
        dy = dmixed[:, :, block] / total
        dscores = dy @ v[:, :, seen].swapaxes(-1, -2)
        dscores -= np.einsum("bhts,bhts->bht", dscores, p)[..., None] / total
        dscores *= p
        np.matmul(dscores, k[:, :, seen], out=dq[:, :, block])
        put_or_add(dscores.swapaxes(-1, -2), q[:, :, block], dk[:, :, seen], first)
        put_or_add(p.swapaxes(-1, -2), dy, dv[:, :, seen], first)
    dys = []
    for part, gradient in zip("qkv", rows, strict=True):
        b, t, _, d_head = gradient.shape
        if part != "q" and config.kv_heads < config.n_heads:
            gradient = gradient.reshape(b, t, config.kv_heads, -1, d_head).sum(axis=3)
        gradient = values.through(prefix + part, gradient)
        if part != "v" and name == "attn" and config.positions == "rotary":
            layers.rotate(gradient, layers.rotary_table(t, d_head, gradient.dtype).conj())
        dys.append(gradient.reshape(b * t, -1))
    return dys
