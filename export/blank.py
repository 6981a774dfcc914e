"""A model that has a shape but no contents: enough for a program, its cycles and its memories."""

from __future__ import annotations

from typing import Any

import numpy as np

from configs import widths
from configs.schema import Config
from quant.qmodel import LAYER_INTS, Layer, Linear, QFormat, QuantModel


def linear(n_out: int, n_in: int, out_bits: int, weight_bits: int) -> Linear:
    """A matrix step of zeros, which take no memory."""

    def zeros(*shape: int) -> np.ndarray:
        return np.broadcast_to(np.zeros((), np.int64), shape)

    return Linear(
        weight=zeros(n_out, n_in),
        shift=zeros(n_out),
        bias=zeros(n_out),
        weight_frac=zeros(n_out),
        exponent=0,
        in_frac=0,
        out_bits=out_bits,
        out_frac=0,
        weight_bits=weight_bits,
    )


def blank(config: Config, vocab: int) -> QuantModel:
    """What `quant` would write for `config`, all numbers zero and no tables, in the same formats.

    The program of this model has the same steps, waves, tiles and slots as that of a trained one.
    """
    model, quant = config.model, config.quant

    def bits(name: str) -> int:
        return widths.width(quant, name)

    formats = {"embed": QFormat(quant.residual_bits, 0)}
    layers = []
    for index in range(model.n_layers):
        name = f"layers.{index}"
        stages = ("q", "k", "v", "attn_out", "ffn_hidden")
        formats |= {f"{name}.{stage}": QFormat(bits(f"{name}.{stage}"), 0) for stage in stages}
        d, ff, residual = model.d_model, model.d_ff, quant.residual_bits
        shapes = {
            "q": (d, d, bits(f"{name}.q")),
            "k": (d, d, bits(f"{name}.k")),
            "v": (d, d, bits(f"{name}.v")),
            "o": (d, d, residual),
            "up": (ff, d, bits(f"{name}.ffn_hidden")),
            "down": (d, ff, residual),
        }
        parts: dict[str, Any] = {
            part: linear(*shape, bits(f"{name}.{part}.weight")) for part, shape in shapes.items()
        }
        parts |= dict.fromkeys(LAYER_INTS, 0)
        layers.append(Layer(**parts))
    return QuantModel(
        config={**model.model_dump(), "vocab_size": vocab},
        quant=quant.model_dump(),
        formats=formats,
        layers=tuple(layers),
        embed_tok=np.broadcast_to(np.zeros((), np.int64), (vocab, model.d_model)),
        embed_pos=None,
        head=linear(vocab, model.d_model, 16, bits("head.weight")),
        eps_int=1,
        tables={},
        bump_shift=0,
        tokenizer={},
        stop_token=None,
        logit_frac=0,
    )
