"""Rescaling between neighbouring matrices, exact in float, so that 8 bits serve every channel.

- q/k: scores do not change when a key channel is scaled and the query channel scaled back, nor
  (without rotary positions) when a constant is added to all keys: it shifts all scores of a query
  alike. So keys are centred, and their channels get one range.
- v/o: the same for values; a constant added to all values comes out of the softmax as it went in,
  and is taken off in the bias of o.
- up/down (ReLU, which commutes with positive scales, and SwiGLU, whose up is only multiplied): each
  row of up fills its 8 bits.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np

from configs.schema import ModelConfig
from quant.calibrate import Statistics
from quant.fold import Array, Folded, FoldedAttention, FoldedLayer, FoldedLinear

FILL = 127 / 128
FACTOR_MAX = 64.0  # channels that hardly move are not blown up further
Part = TypeVar("Part", FoldedLayer, FoldedAttention)


def smooth(folded: Folded, stats: Statistics) -> Folded:
    """An equivalent model; `stats` come from the given one and do not describe the result."""
    config, layers = folded.config, {}
    for name, layer in folded.named_layers():
        rotary = config.positions == "rotary"
        layer = _keys(layer, *stats.channel_range(name + "k"), config, rotary)
        layer = _values(layer, *stats.channel_range(name + "v"), config)
        if layer.cross is not None:
            cross = _keys(layer.cross, *stats.channel_range(name + "cross_k"), config, False)
            cross = _values(cross, *stats.channel_range(name + "cross_v"), config)
            layer = replace(layer, cross=cross)
        if config.activation in ("relu", "swiglu"):
            low, high = stats.channel_range(name + "ffn_hidden")
            layer = _hidden(layer, np.maximum(-low, high))
        layers[name] = layer
    order, count = list(layers.values()), len(folded.encoder)
    return replace(folded, encoder=tuple(order[:count]), layers=tuple(order[count:]))


def scale_rows(linear: FoldedLinear, factor: Array) -> FoldedLinear:
    """Outputs times factor [out]."""
    return FoldedLinear(linear.weight * factor[:, None], linear.bias * factor)


def equalising(reach: Array) -> Array:
    """Factors [channels] that bring each channel's reach to a power of two, a format's end."""
    positive = reach[reach > 0]
    if not positive.size:
        return np.ones_like(reach)
    target = FILL * 2.0 ** np.round(np.mean(np.log2(positive)))
    factor = target / np.maximum(reach, target / FACTOR_MAX)
    return np.maximum(factor, 1 / FACTOR_MAX)


def shared(channels: Array, config: ModelConfig) -> Array:
    """Values per channel of k or v as those of the channels of q or attn_out that meet them."""
    heads = channels.reshape(config.kv_heads, config.d_head)
    return heads.repeat(config.n_heads // config.kv_heads, axis=0).reshape(-1)


def centred_keys(layer: Part, low: Array, high: Array, rotary: bool) -> tuple[Part, Array]:
    """Without the middle of keys between low and high [G * d_head], and how far they then reach."""
    if rotary:  # a pair turns as one
        return layer, np.maximum(-low, high).reshape(-1, 2).max(axis=1).repeat(2)
    k = FoldedLinear(layer.k.weight, layer.k.bias - (high + low) / 2)
    return replace(layer, k=k), (high - low) / 2


def centred_values(layer: Part, middle: Array, config: ModelConfig) -> Part:
    """Values less `middle` [G * d_head], which o adds again."""
    v = FoldedLinear(layer.v.weight, layer.v.bias - middle)
    bias = layer.o.bias + layer.o.weight @ shared(middle, config)
    return replace(layer, v=v, o=FoldedLinear(layer.o.weight, bias))


def scaled_keys(layer: Part, factor: Array, config: ModelConfig) -> Part:
    """Channels of k times factor [G * d_head], those of q that meet them divided by it."""
    q = scale_rows(layer.q, 1 / shared(factor, config))
    return replace(layer, q=q, k=scale_rows(layer.k, factor))


def scaled_values(layer: Part, factor: Array, config: ModelConfig) -> Part:
    """Channels of v times factor [G * d_head], columns of o divided by it."""
    o = FoldedLinear(layer.o.weight / shared(factor, config), layer.o.bias)
    return replace(layer, v=scale_rows(layer.v, factor), o=o)


def scaled_hidden(layer: FoldedLayer, factor: Array) -> FoldedLayer:
    """Rows of up times factor [F], columns of down divided by it."""
    down = FoldedLinear(layer.down.weight / factor, layer.down.bias)
    return replace(layer, up=scale_rows(layer.up, factor), down=down)


def _keys(layer: Part, low: Array, high: Array, config: ModelConfig, rotary: bool) -> Part:
    layer, reach = centred_keys(layer, low, high, rotary)
    return scaled_keys(layer, equalising(reach), config)


def _values(layer: Part, low: Array, high: Array, config: ModelConfig) -> Part:
    layer = centred_values(layer, (high + low) / 2, config)
    return scaled_values(layer, equalising((high - low) / 2), config)


def _hidden(layer: FoldedLayer, reach: Array) -> FoldedLayer:
    """Of the scales that fill the rows of up, those that bring `reach` nearest to one value."""
    absmax = np.abs(layer.up.weight).max(axis=1)
    wanted = np.log2(equalising(reach) * np.where(absmax > 0, absmax, 1))
    factor = np.where(absmax > 0, 2.0 ** np.round(wanted) / np.where(absmax > 0, absmax, 1), 1.0)
    return scaled_hidden(layer, factor)
