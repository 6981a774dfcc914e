"""Artefacts and machines of many shapes, and where rendered ones lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from configs import widths
from configs.schema import Config, parse
from export import render, spec
from quant.qformat import QFormat
from quant.qmodel import Layer, Linear, QuantModel

SOURCE = "0123456789abcdef" * 4  # digest of an artefact that is on no disk


@dataclass(frozen=True)
class Case:
    """A model on an array."""

    model: dict
    vocab: int
    rows: int
    cols: int
    quant: dict
    streams: int = 1

    def config(self) -> Config:
        """The config; raises ConfigError where it is impossible."""
        hardware = {"rows": self.rows, "cols": self.cols, "streams": self.streams}
        return parse("case", {"model": self.model, "quant": self.quant, "hardware": hardware})


def case(
    array: str, shape: str, vocab: int = 29, quant: dict | None = None, **options: object
) -> Case:
    """`array`: "4x8"; `shape`: "d_model n_heads n_layers d_ff context"."""
    names = ("d_model", "n_heads", "n_layers", "d_ff", "context")
    model = dict(zip(names, map(int, shape.split()), strict=True)) | options
    rows, cols = map(int, array.split("x"))
    return Case(model, vocab, rows, cols, quant or {})


# Square, wide, tall; heads narrower and wider than a wave; nothing a multiple of anything.
CASES = {
    "gelu-4x4": case("4x4", "16 2 1 32 32", activation="gelu", norm="layernorm", bias=True),
    "rotary-8x4": case("8x4", "24 2 2 36 10", vocab=33, positions="rotary"),
    "narrow-heads-4x12": case(
        "4x12",
        "20 5 3 28 17",
        vocab=61,
        activation="gelu",
        quant={"rsqrt_bits": 8, "recip_bits": 4, "bump_bits": 5},
    ),
    "rotary-2x16": case("2x16", "12 2 1 20 33", vocab=7, positions="rotary", tied_head=False),
    "coprime-3x5": case("3x5", "16 2 2 22 12", vocab=23),
    "rotary-odd-5x3": case("5x3", "24 3 1 20 9", vocab=31, positions="rotary", bias=True),
    "thirds-8x6": case("8x6", "20 4 1 26 15", vocab=11, activation="gelu"),
    "odd-3x9": case("3x9", "14 2 2 10 7", vocab=130, positions="sinusoidal"),
    "tall-16x2": case("16x2", "18 3 1 22 5", vocab=19, bias=True),
    "bits-6x6": case(
        "6x6",
        "15 3 2 13 11",
        vocab=3,
        quant={"weight_bits": 5, "act_bits": 9, "kv_bits": 6, "prob_bits": 7, "score_frac_bits": 3},
    ),
    "mixed-4x8": case(
        "4x8",
        "12 2 2 13 11",
        vocab=3,
        activation="gelu",
        quant={
            "weight_bits": 2,
            "residual_bits": 13,
            "prob_bits": 14,
            "bits": {"layers.1.*.weight": 6, "layers.*.k": 5, "layers.0.attn_out": 14},
        },
    ),
}


def artefact(what: Case, seed: int = 0) -> QuantModel:
    """An artefact of random integers that use every code of every field; fits no float model."""
    config = what.config()
    rng = np.random.default_rng(seed)
    c, q = config.model, config.quant

    def ints(low: int, high: int, shape: tuple[int, ...] | int, dtype: type) -> np.ndarray:
        """Uniform in low..high, both ends sure to be there where there is room."""
        values = rng.integers(low, high + 1, shape)
        values.flat[:1], values.flat[-1:] = low, high
        return values.astype(dtype)

    def linear(tensor: str, n_out: int, n_in: int, bits: int) -> Linear:
        weight_bits = widths.width(q, f"{tensor}.weight")
        top = 2 ** (weight_bits - 1) - 1
        return Linear(
            weight=ints(-top, top, (n_out, n_in), np.int8),
            shift=ints(0, 31, n_out, np.uint8),
            bias=ints(-(2**20), 2**20, n_out, np.int32),
            weight_frac=ints(-9, 20, n_out, np.int8),
            exponent=int(rng.integers(-20, 40)),
            in_frac=0,
            out_bits=bits,
            out_frac=0,
            weight_bits=weight_bits,
        )

    def layer(name: str) -> Layer:
        d, f = c.d_model, c.d_ff
        numbers = [int(n) for n in rng.integers(0, 32, 4)]
        for stage in ("q", "attn_out"):
            formats[f"{name}.{stage}"] = QFormat(widths.width(q, f"{name}.{stage}"), 0)
        bits = min(widths.width(q, f"{name}.ffn_hidden"), 15)
        hidden = formats[f"{name}.ffn_hidden"] = QFormat(bits, 0, False, 99 if gelu else 0)
        return Layer(
            *(linear(f"{name}.{p}", d, d, widths.width(q, f"{name}.{p}")) for p in "qkv"),
            linear(f"{name}.o", d, d, q.residual_bits),
            linear(f"{name}.up", f, d, hidden.signed_bits),
            linear(f"{name}.down", d, f, q.residual_bits),
            *numbers,
        )

    rotary, gelu = c.positions == "rotary", c.activation == "gelu"
    angles = (c.context, c.d_head // 2)
    gumbel, residual = 2**15 - 1, 2 ** (q.residual_bits - 1) - 1
    formats = {"embed": QFormat(q.residual_bits, 0)}
    return QuantModel(
        config=c.model_dump() | {"vocab_size": what.vocab},
        quant=q.model_dump(),
        formats=formats,
        layers=tuple(layer(f"layers.{index}") for index in range(c.n_layers)),
        embed_tok=ints(-residual, residual, (what.vocab, c.d_model), np.int16),
        embed_pos=None if rotary else ints(-residual, residual, (c.context, c.d_model), np.int16),
        head=linear("head", what.vocab, c.d_model, 16),
        eps_int=77,
        tables={
            "rsqrt": ints(0, 2**15, 3 << q.rsqrt_bits, np.int32),
            "recip": ints(0, 2**15, 1 << q.recip_bits, np.int32),
            "exp2": ints(0, 2**q.prob_bits - 1, 2**q.score_frac_bits, np.int32),
            "gumbel": ints(-gumbel, gumbel, 1024, np.int32),
            "bump": ints(0, 99, 1 << q.bump_bits, np.int32) if gelu else None,
            "cos": ints(-(2**14), 2**14, angles, np.int32) if rotary else None,
            "sin": ints(-(2**14), 2**14, angles, np.int32) if rotary else None,
        },
        bump_shift=2,
        tokenizer={"kind": "word", "vocab": [f"t{i}" for i in range(what.vocab)]},
        stop_token=None,
        logit_frac=8,
    )


def build(what: Case, qm: QuantModel | None = None) -> spec.Spec:
    """The machine of a case, of an artefact of its own if none is given."""
    return spec.build(artefact(what) if qm is None else qm, what.rows, what.cols, what.streams)


def rendered(folder: Path, what: Case, qm: QuantModel | None = None) -> Path:
    """`folder`, with the machine of a case in it."""
    render.render(build(what, qm), folder, "case", SOURCE)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below `folder`."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}
