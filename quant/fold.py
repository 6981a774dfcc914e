"""Offline transforms that are exact in float: what is left is RMS without gain, and plain matrices.

- LayerNorm becomes RMSNorm: its input need only be centred, and the residual is centred when every
  writer is: embeddings, attention output and FFN output lose their mean over d_model.
- A norm's gain and bias move into the matrices that read it (the head is untied by copying).
- 1/sqrt(d_head) and log2(e) (the softmax is taken to base 2) move into q.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from configs.schema import ModelConfig
from model import transformer
from model.layers import NORM_EPS

Array = np.ndarray


@dataclass(frozen=True)
class FoldedLinear:
    """y = weight @ x + bias; float64 weight [out, in], bias [out]."""

    weight: Array
    bias: Array


@dataclass(frozen=True)
class FoldedAttention:
    """The matrices of cross-attention, as those of FoldedLayer; k and v read the encoder."""

    q: FoldedLinear
    k: FoldedLinear
    v: FoldedLinear
    o: FoldedLinear


@dataclass(frozen=True)
class FoldedLayer:
    """One block. q yields scores in octaves: softmax(2^(q.k)).

    q [D, D]; k and v [kv_heads * d_head, D]: each of their heads serves n_heads / kv_heads of q.
    """

    q: FoldedLinear
    k: FoldedLinear
    v: FoldedLinear
    o: FoldedLinear
    up: FoldedLinear
    down: FoldedLinear
    gate: FoldedLinear | None = None  # of SwiGLU: what `up` gives is multiplied with silu(gate)
    cross: FoldedAttention | None = None  # in the decoder of an encoder-decoder


@dataclass(frozen=True)
class Folded:
    """The float twin of the integer model."""

    config: ModelConfig
    embed_tok: Array  # [V, D]
    embed_pos: Array | None  # [T, D], None for rotary positions
    layers: tuple[FoldedLayer, ...]
    head: FoldedLinear  # [V, D]
    eps: float
    encoder: tuple[FoldedLayer, ...] = ()  # of an encoder-decoder

    def named_layers(self) -> list[tuple[str, FoldedLayer]]:
        """("encoder.layers.0.", layer), ... in order of execution."""
        stacks = (("encoder.", self.encoder), ("", self.layers))
        return [(f"{s}layers.{i}.", layer) for s, stack in stacks for i, layer in enumerate(stack)]


def fold(params: dict[str, Array], config: ModelConfig) -> Folded:
    """Fold parameters named as in `model.transformer`."""
    params = {name: np.asarray(array, np.float64) for name, array in params.items()}
    centre = _centred if config.norm == "layernorm" else _unchanged
    positions = transformer.position_table(params, config)
    head = FoldedLinear(transformer.head_weight(params), np.zeros(len(params["embed.weight"])))
    both = config.kind == "encoder-decoder"
    return Folded(
        config,
        embed_tok=centre(params["embed.weight"]),
        embed_pos=None if positions is None else centre(positions.astype(np.float64)),
        layers=tuple(_layer(params, config, "", index) for index in range(config.n_layers)),
        head=_absorb_norm(head, params, "final_norm"),
        eps=NORM_EPS,
        encoder=tuple(
            _layer(params, config, "encoder.", index) for index in range(both * config.n_layers)
        ),
    )


def _unchanged(rows: Array) -> Array:
    return rows


def _centred(rows: Array) -> Array:
    """Rows [..., D] without their mean."""
    return rows - rows.mean(axis=-1, keepdims=True)


def _absorb_norm(linear: FoldedLinear, params: dict[str, Array], norm: str) -> FoldedLinear:
    """W (g * n + b) + c = (W * g) n + (W b + c)."""
    bias = linear.bias
    if norm + ".bias" in params:
        bias = bias + linear.weight @ params[norm + ".bias"]
    return FoldedLinear(linear.weight * params[norm + ".weight"], bias)


def _linear(params: dict[str, Array], name: str) -> FoldedLinear:
    weight = params[name + ".weight"].T  # the model stores (in, out)
    return FoldedLinear(weight, params.get(name + ".bias", np.zeros(len(weight))))


def _writer(params: dict[str, Array], name: str, config: ModelConfig) -> FoldedLinear:
    """A linear that writes to the residual: centred over its outputs under LayerNorm."""
    linear = _linear(params, name)
    if config.norm == "rmsnorm":
        return linear
    return FoldedLinear(_centred(linear.weight.T).T, _centred(linear.bias))


def _octaves(q: FoldedLinear, config: ModelConfig) -> FoldedLinear:
    """q with the factor that makes scores octaves."""
    factor = math.log2(math.e) / math.sqrt(config.d_head)
    return FoldedLinear(q.weight * factor, q.bias * factor)


def _layer(params: dict[str, Array], config: ModelConfig, stack: str, index: int) -> FoldedLayer:
    """stack: "" or "encoder."."""
    name = f"{stack}layers.{index}."
    parts = {}
    for part, (weight, bias) in transformer.split_qkv(params, index, stack).items():
        linear = FoldedLinear(weight.T, np.zeros(weight.shape[1]) if bias is None else bias)
        parts[part] = _absorb_norm(linear, params, name + "attn_norm")
    parts["q"] = _octaves(parts["q"], config)
    up, gate = _absorb_norm(_linear(params, name + "ffn_up"), params, name + "ffn_norm"), None
    if config.activation == "swiglu":
        gate, up = (FoldedLinear(*pair) for pair in zip(*_halves(up), strict=True))
    return FoldedLayer(
        **parts,
        o=_writer(params, name + "attn_proj", config),
        up=up,
        down=_writer(params, name + "ffn_down", config),
        gate=gate,
        cross=_cross(params, config, name) if f"{name}cross_q.weight" in params else None,
    )


def _cross(params: dict[str, Array], config: ModelConfig, name: str) -> FoldedAttention:
    """Cross-attention of the layer `name`; the encoder's last norm goes into its k and v."""
    q = _absorb_norm(_linear(params, name + "cross_q"), params, name + "cross_norm")
    kv = _absorb_norm(_linear(params, name + "cross_kv"), params, "encoder.final_norm")
    k, v = (FoldedLinear(*pair) for pair in zip(*_halves(kv), strict=True))
    return FoldedAttention(_octaves(q, config), k, v, _writer(params, name + "cross_proj", config))


def _halves(linear: FoldedLinear) -> tuple[list[Array], list[Array]]:
    """Weights and biases of the first and of the second half of the outputs."""
    return np.split(linear.weight, 2), np.split(linear.bias, 2)
