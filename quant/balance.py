"""Rescaling between neighbouring matrices for narrow weights, exact in float.

The unit of a row is a power of two, so the spread of its weights may lie anywhere within an octave
of that which the codes hold best; at 4 bits the worst place has nearly twice the squared error of
the best one. Wherever a channel can be scaled in one matrix and scaled back in the next, as in
`quant.smooth`, the producer's row goes to its best place, and the octave that is left to choose
goes

- of keys, to even ranges of the channels, as the cache wants it;
- of values and of the hidden layer, to even shares: rms(x[i]) is to |w[:, i]| of the matrix that
  reads it as everywhere else. By Cauchy and Schwarz the sum over i of what the rounding of w adds
  is then least. One more factor for all brings the reader's rows, whose spread is about the same in
  all, near their best place.

A factor on the whole residual, which every norm takes off again, does the same for ffn down where
the activation does not commute with a scale. All this takes bits from the activations, so these
need some to spare: `wanted`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import numpy as np

from configs import widths
from configs.schema import ModelConfig, QuantConfig
from quant import rounding, smooth
from quant.calibrate import Statistics
from quant.fold import Array, Folded, FoldedAttention, FoldedLayer, FoldedLinear

SPARE = 4  # bits by which activations and cache are wider than weights
PLACES = 8  # tried within an octave
REACH = 8.0  # from the factor that evens out the ranges, either way
Part = TypeVar("Part", FoldedLayer, FoldedAttention)


def wanted(quant: QuantConfig) -> bool:
    """Whether weights are narrow beside what they meet."""
    return quant.weight_bits + SPARE <= min(quant.act_bits, quant.kv_bits)


def balance(folded: Folded, stats: Statistics, quant: QuantConfig) -> Folded:
    """An equivalent model; `stats` come from the given one and do not describe the result."""
    folded = _residual(folded, stats, quant)
    config, layers = folded.config, {}
    for name, layer in folded.named_layers():
        layer = _part(layer, name, "", stats, config, quant)
        if layer.cross is not None:
            layer = replace(layer, cross=_part(layer.cross, name, "cross_", stats, config, quant))
        if config.activation in ("relu", "swiglu"):
            layer = _hidden(layer, name, stats, quant)
        layers[name] = layer
    order, count = list(layers.values()), len(folded.encoder)
    return replace(folded, encoder=tuple(order[:count]), layers=tuple(order[count:]))


def row_errors(weight: Array, bits: int, power: Array | None = None) -> Array:
    """[out] what rounding adds to each output, relative to it, in the best power-of-two unit.

    power: [in] mean squares of the inputs, which are taken as uncorrelated; 1 if left out.
    """
    power = np.ones(weight.shape[1]) if power is None else power
    least = rounding.covering_fracs(weight, bits)
    tried = []
    for extra in range(rounding.candidates(bits)):
        codes = rounding.nearest(weight, least + extra, bits)
        off = codes * 2.0 ** -(least + extra)[:, None] - weight
        tried.append(off**2 @ power)
    whole = weight**2 @ power
    return np.min(tried, axis=0) / np.where(whole > 0, whole, 1.0)


def _places() -> Array:
    return 2.0 ** (np.arange(PLACES) / PLACES)


def _best_places(errors: Callable[[float], Array]) -> Array:
    """Of the factors within an octave, for each row that of the least error."""
    places = _places()
    return places[np.argmin([errors(float(place)) for place in places], axis=0)]


def _best_place(error: Callable[[float], float]) -> float:
    return float(min(_places(), key=lambda place: error(float(place))))


def _near(place: Array, target: Array) -> Array:
    """Of the factors place * 2^n, those next to target."""
    return place * 2.0 ** np.round(np.log2(target / place))


def _residual(folded: Folded, stats: Statistics, quant: QuantConfig) -> Folded:
    """The residual times a factor, which its norm takes off again: for what writes to it."""
    downs = [
        (layer.down.weight, widths.width(quant, name + "down.weight"))
        for name, layer in folded.named_layers()
    ]
    power = [np.diag(stats.gram(name + "ffn_hidden")) for name, _ in folded.named_layers()]

    def error(place: float) -> float:
        return sum(
            float(row_errors(weight * place, bits, x).sum())
            for (weight, bits), x in zip(downs, power, strict=True)
        )

    place = _best_place(error)
    positions = folded.embed_pos

    def layer_of(layer: FoldedLayer) -> FoldedLayer:
        cross = layer.cross
        return replace(
            layer,
            o=_times(layer.o, place),
            down=_times(layer.down, place),
            cross=None if cross is None else replace(cross, o=_times(cross.o, place)),
        )

    return replace(
        folded,
        embed_tok=folded.embed_tok * place,
        embed_pos=None if positions is None else positions * place,
        layers=tuple(map(layer_of, folded.layers)),
        encoder=tuple(map(layer_of, folded.encoder)),
        eps=folded.eps * place**2,
    )


def _times(linear: FoldedLinear, factor: float) -> FoldedLinear:
    return FoldedLinear(linear.weight * factor, linear.bias * factor)


def _part(
    part: Part, name: str, cross: str, stats: Statistics, config: ModelConfig, quant: QuantConfig
) -> Part:
    """Self- or cross-attention of the layer `name`; cross: "" or "cross_"."""
    bits = {p: widths.width(quant, f"{name}{cross}{p}.weight") for p in ("q", "k", "v", "o")}
    rotary = config.positions == "rotary" and not cross
    part = _keys(part, *stats.channel_range(f"{name}{cross}k"), config, rotary, bits)
    out = f"{name}{cross or 'attn_'}out"
    return _values(part, *stats.channel_range(f"{name}{cross}v"), stats.variance(out), config, bits)


def _keys(
    part: Part, low: Array, high: Array, config: ModelConfig, rotary: bool, bits: dict[str, int]
) -> Part:
    """Keys between low and high [G * d_head]: both q and k have rows, both go to a good place."""
    part, reach = smooth.centred_keys(part, low, high, rotary)
    group = 2 if rotary else 1  # a pair turns as one

    def errors(place: float) -> Array:
        k = row_errors(part.k.weight * place, bits["k"])
        q = row_errors(part.q.weight / place, bits["q"])
        q = q.reshape(config.kv_heads, -1, config.d_head).mean(axis=1).reshape(-1)
        return (k + q).reshape(-1, group).mean(axis=1).repeat(group)

    factor = _near(_best_places(errors), smooth.equalising(reach))
    return smooth.scaled_keys(part, factor, config)


def _values(
    part: Part, low: Array, high: Array, power: Array, config: ModelConfig, bits: dict[str, int]
) -> Part:
    """Values between low and high [G * d_head]; power: of attn_out [D]."""
    part = smooth.centred_values(part, (high + low) / 2, config)

    def of_heads(channels: Array) -> Array:
        """Sums over the heads of q that share one of v."""
        return channels.reshape(config.kv_heads, -1, config.d_head).sum(axis=1).reshape(-1)

    target = _even_shares(of_heads(power), of_heads((part.o.weight**2).sum(axis=0)))
    even = smooth.equalising((high - low) / 2)
    place = _best_places(lambda place: row_errors(part.v.weight * place, bits["v"]))

    def error(factor: Array) -> float:
        factor = smooth.shared(factor, config)
        return float(row_errors(part.o.weight / factor, bits["o"], power * factor**2).sum())

    return smooth.scaled_values(part, _shared_out(place, target, even, error), config)


def _hidden(layer: FoldedLayer, name: str, stats: Statistics, quant: QuantConfig) -> FoldedLayer:
    bits = {p: widths.width(quant, f"{name}{p}.weight") for p in ("up", "down")}
    power = stats.variance(name + "ffn_hidden")
    low, high = stats.channel_range(name + "ffn_hidden")
    target = _even_shares(power, (layer.down.weight**2).sum(axis=0))
    even = smooth.equalising(np.maximum(-low, high))
    place = _best_places(lambda place: row_errors(layer.up.weight * place, bits["up"]))

    def error(factor: Array) -> float:
        return float(row_errors(layer.down.weight / factor, bits["down"], power * factor**2).sum())

    return smooth.scaled_hidden(layer, _shared_out(place, target, even, error))


def _shared_out(place: Array, target: Array, even: Array, error: Callable[[Array], float]) -> Array:
    """Factors place * 2^n near to target times one more, that of the least error.

    even: the factors that even out ranges, from which they do not go far.
    """
    target = target * np.exp(np.mean(np.log(even / target)))
    target = np.clip(target, even / REACH, even * REACH)
    more = _best_place(lambda more: error(_near(place, more * target)))
    return _near(place, more * target)


def _even_shares(x: Array, w: Array) -> Array:
    """Factors of channels with mean squares x that are read by columns of squares w."""
    share = np.where((x > 0) & (w > 0), w / np.where(x > 0, x, 1), np.nan)
    mean = np.nanmean(np.log(share)) if not np.isnan(share).all() else 0.0
    return np.where(np.isnan(share), np.exp(mean), share) ** 0.25
