"""From a folded float model and its statistics to the integers of the artefact."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from configs import widths
from configs.cli import UserError
from configs.schema import QuantConfig
from quant import bounds, calibrate, ops, rounding, tables
from quant.calibrate import Statistics
from quant.fold import Array, Folded, FoldedAttention, FoldedLayer, FoldedLinear
from quant.qmodel import CROSS_INTS, LINEARS, Attention, Layer, Linear, QuantModel

PRE_TARGET = 16  # calibrated |a| stays <= 2^16, half of what 18 bits hold
STAGES = {  # of each part of a layer: the stage that it writes, and the one that it reads
    "q": ("q", "attn_norm"),
    "k": ("k", "attn_norm"),
    "v": ("v", "attn_norm"),
    "o": ("attn_residual", "attn_out"),
    "up": ("ffn_hidden", "ffn_norm"),
    "down": ("ffn_residual", "ffn_hidden"),
}
GATED = {"gate": ("ffn_gate", "ffn_norm"), "up": ("ffn_up", "ffn_norm")}  # of SwiGLU
REMEDY = "the float model's values are too far apart: train it again (make train)"
MEMORY = "encoder.final_norm"  # what the cross keys and values read


def quantize(
    folded: Folded,
    stats: Statistics,
    quant: QuantConfig,
    tokenizer: dict,
    stop_token: int | None = None,
    meta: dict | None = None,
) -> QuantModel:
    """The whole artefact, validated; raises UserError naming what cannot be represented."""
    return _Quantizer(folded, stats, quant).build(tokenizer, stop_token, meta or {})


def pre_frac(acc_absmax: float) -> int:
    """Fraction bits of the reduced accumulator."""
    return PRE_TARGET - (math.ceil(math.log2(acc_absmax)) if acc_absmax > 0 else 0)


def with_bias(name: str, linear: Linear, bias: Array) -> Linear:
    """`linear` with the real bias [out]: int32 in guard units, with the rounding half."""
    codes = np.floor((bias - lifted(linear)) * guard_scale(linear) + 0.5) + ops.ROUND_BIAS
    if np.abs(codes).max() > 2**31 - 1:
        raise UserError(f"{name}: a bias of {np.abs(bias).max():.3g} does not fit in 32 bits")
    return replace(linear, bias=codes.astype(np.int32))


def real_bias(linear: Linear) -> Array:
    """The real bias [out] that the codes of `with_bias` stand for."""
    return (linear.bias - float(ops.ROUND_BIAS)) / guard_scale(linear) + lifted(linear)


def guard_scale(linear: Linear) -> float:
    """Guard units in 1."""
    return 2.0 ** (linear.out_frac + ops.GUARD_BITS)


def lifted(linear: Linear) -> Array | float:
    """What the product [out] of inputs that all stand for 0 comes to."""
    if not linear.in_zero:
        return 0.0
    sums = linear.weight.astype(np.int64).sum(axis=1) * linear.in_zero
    return sums * 2.0 ** -(linear.weight_frac.astype(np.float64) + linear.in_frac)


class _Quantizer:
    def __init__(self, folded: Folded, stats: Statistics, quant: QuantConfig) -> None:
        self.folded, self.stats, self.quant = folded, stats, quant
        self.formats = calibrate.choose_formats(folded, stats, quant)
        self.residual_frac = self.formats["embed"].frac
        self.norm_octave = tables.norm_octave(folded.config.d_model)

    def build(self, tokenizer: dict, stop_token: int | None, meta: dict) -> QuantModel:
        folded, config = self.folded, self.folded.config
        every = [self._layer(name, layer) for name, layer in folded.named_layers()]
        encoder, layers = every[: len(folded.encoder)], every[len(folded.encoder) :]
        head = self._linear(
            "head", "logits", "final_norm", folded.head, self.residual_frac, normed=True
        )
        shift, constants = self._tables()
        qm = QuantModel(
            config={**config.model_dump(), "vocab_size": len(folded.embed_tok)},
            quant=self.quant.model_dump(),
            formats=self.formats,
            layers=tuple(layers),
            encoder=tuple(encoder),
            **self._embeddings(),
            head=head,
            eps_int=self._eps_int(every, head),
            tables=constants,
            bump_shift=shift,
            tokenizer=tokenizer,
            stop_token=stop_token,
            logit_frac=self.formats["logits"].frac,
            meta={**meta, "calibration": calibrate.record(self.stats, self.quant, self.formats)},
        )
        try:
            qm.validate()
        except UserError as error:  # making it again would not help
            raise UserError(str(error).replace(bounds.REMEDY, REMEDY)) from None
        return qm

    def _embeddings(self) -> dict[str, Any]:
        """Both tables in the residual's format; UserError where most of one would be 0."""
        real = {"embed_tok": self.folded.embed_tok, "embed_pos": self.folded.embed_pos}
        there = {name: table for name, table in real.items() if table is not None}
        codes: dict[str, Any] = dict.fromkeys(real)
        for name, table in there.items():
            codes[name] = self.formats["embed"].encode(table).astype(np.int16)
            if 2 * np.count_nonzero(codes[name]) < np.count_nonzero(table):
                largest = {name: np.abs(table).max() for name, table in there.items()}
                name = max(largest, key=largest.__getitem__)
                raise UserError(f"{name}: one value is {largest[name]:.3g}; {REMEDY}")
        return codes

    def _linear(
        self, tensor: str, name: str, reads: str, linear: FoldedLinear, in_frac: int, normed: bool
    ) -> Linear:
        """`name`, `reads`: the stages that the step writes and reads (its norm, if `normed`)."""
        out = self.formats[name]
        bits = widths.width(self.quant, tensor + ".weight")
        least = rounding.covering_fracs(linear.weight, bits)
        read = None if normed else self.formats[reads]
        reach = self.stats.absmax[name + ".acc"]
        if read is not None:  # what inputs that all stand for 0 come to is in the accumulator too
            reach += float(np.abs(linear.weight.sum(axis=1)).max()) * read.zero * read.step
        pre = min(pre_frac(reach), in_frac + int(least.min()))
        gram = self.stats.gram(reads)
        codes, fracs = rounding.choose(
            linear.weight, bits, gram, frac_max=pre - in_frac + ops.SHIFT_MAX
        )
        bias = linear.bias
        if read is not None:  # what rounding the input adds on average is taken off again
            real = codes * 2.0 ** -fracs[:, None]
            bias = bias - real @ self.stats.rounding_mean(reads, read)
        exponent = pre + ops.MANT_BITS - out.frac - ops.GUARD_BITS
        if normed:
            exponent -= self.residual_frac + self.norm_octave
        step = Linear(
            weight=codes,
            shift=(fracs - (pre - in_frac)).astype(np.uint8),
            bias=np.zeros(len(codes), np.int32),
            weight_frac=fracs.astype(np.int8),
            exponent=exponent,
            in_frac=in_frac,
            out_bits=out.signed_bits,
            out_frac=out.frac,
            weight_bits=bits,
            in_zero=0 if read is None else read.zero,
        )
        return with_bias(name, step, bias)

    def _layer(self, name: str, layer: FoldedLayer) -> Layer:
        """name: "layers.0."."""
        in_fracs = dict.fromkeys(LINEARS, self.residual_frac)
        in_fracs |= {
            part: self.formats[name + stage].frac
            for part, stage in (("o", "attn_out"), ("down", "ffn_hidden"))
        }
        gated = layer.gate is not None
        linears: dict[str, Any] = {
            part: self._linear(
                name + part,
                name + stage,
                name + reads,
                getattr(layer, part),
                in_fracs[part],
                normed=reads.endswith("_norm"),
            )
            for part, (stage, reads) in (STAGES | (GATED if gated else {})).items()
        }
        return Layer(
            **linears,
            **self._cache_steps(name, "", "attn"),
            hidden_shift=self._hidden_shift(name) if gated else 0,
            cross=None if layer.cross is None else self._cross(name, layer.cross),
        )

    def _cross(self, name: str, cross: FoldedAttention) -> Attention:
        out_frac = self.formats[name + "cross_out"].frac
        linears: dict[str, Any] = {
            part: self._linear(
                f"{name}cross_{part}", name + stage, reads, getattr(cross, part), frac, part != "o"
            )
            for part, (stage, reads, frac) in {
                "q": ("cross_q", name + "cross_norm", self.residual_frac),
                "k": ("cross_k", MEMORY, self.residual_frac),
                "v": ("cross_v", MEMORY, self.residual_frac),
                "o": ("cross_residual", name + "cross_out", out_frac),
            }.items()
        }
        return Attention(**linears, **self._cache_steps(name, "cross_", "cross"))

    def _cache_steps(self, name: str, qkv: str, part: str) -> dict[str, Any]:
        """Shifts and exponents of both products with the cache; part: attn or cross."""
        q, k, v = (self.formats[name + qkv + stage].frac for stage in "qkv")
        scores = self._cache_step(f"{name}{part}_scores", f"{name}{part}_scores", q + k)
        out = self._cache_step(f"{name}{part}_out", f"{name}{part}_out.acc", v, probs=True)
        return dict(zip(CROSS_INTS, (*scores, *out), strict=True))

    def _hidden_shift(self, name: str) -> int:
        """From the unit of gate times up to that of the hidden layer, which is never finer."""
        fracs = [self.formats[name + stage].frac for stage in ("ffn_gate", "ffn_up", "ffn_hidden")]
        return fracs[0] + fracs[1] - fracs[2]

    def _cache_step(
        self, name: str, acc: str, acc_frac: int, probs: bool = False
    ) -> tuple[int, int]:
        """(shift, exponent) of a product with the cache, accumulated with acc_frac fraction bits.

        With `probs` the accumulator counts in units of one probability code more, and the scalar
        is the reciprocal of their sum, so probability codes cancel in the exponent.
        """
        extra = self.quant.prob_bits if probs else 0
        pre = min(pre_frac(self.stats.absmax[acc]), acc_frac + extra)
        shift = min(acc_frac + extra - pre, ops.SHIFT_MAX)
        out_frac = self.formats[name].frac
        exponent = acc_frac - shift + ops.MANT_BITS - out_frac - ops.GUARD_BITS
        return shift, exponent

    def _eps_int(self, layers: list[Layer], head: Linear) -> int:
        """eps in units of the sum of squares; raised where a tiny norm would shift by less than 0.

        1/rms of at most 2^-k needs exponent + k >= 0 in every step that reads the scalar.
        """
        readers = [
            head,
            *(getattr(layer, part) for layer in layers for part in ("q", "k", "v", "up")),
            *(layer.gate for layer in layers if layer.gate is not None),
            *(getattr(layer.cross, part) for layer in layers if layer.cross for part in "qkv"),
        ]
        d_model = self.folded.config.d_model
        eps = math.floor(self.folded.eps * d_model * 4.0**self.residual_frac + 0.5)
        k_needed = max(0, *(-linear.exponent for linear in readers))
        return max(1, eps, 4**k_needed)

    def _tables(self) -> tuple[int, dict[str, np.ndarray | None]]:
        config, quant = self.folded.config, self.quant
        shift, bump, cos, sin = 0, None, None, None
        if kind := tables.BUMPS.get(config.activation):
            gated = config.activation == "swiglu"
            active = self.formats["layers.0.ffn_gate" if gated else "layers.0.ffn_hidden"]
            shift, bump = tables.activation_table(
                active.signed_bits, active.frac, kind, quant.bump_bits
            )
        if config.positions == "rotary":
            cos, sin = tables.rotary_tables(config.context, config.d_head)
        constants = {
            "rsqrt": tables.rsqrt_table(config.d_model, quant.rsqrt_bits),
            "recip": tables.recip_table(quant.recip_bits),
            "exp2": tables.exp2_table(quant.score_frac_bits, quant.prob_bits),
            "gumbel": tables.gumbel_table(),
            "bump": bump,
            "cos": cos,
            "sin": sin,
        }
        as_int32 = {n: None if t is None else t.astype(np.int32) for n, t in constants.items()}
        return shift, as_int32


def format_rows(qm: QuantModel) -> list[dict]:
    """Formats in the order of the stages, as plain data for tables and reports."""
    return [{"stage": name, **asdict(fmt), "text": str(fmt)} for name, fmt in qm.formats.items()]
