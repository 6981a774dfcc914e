"""Ranges and samples of every stage on calibration text, and the formats chosen from them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from configs import widths
from configs.cli import UserError
from configs.schema import QuantConfig
from model.tasks import Batch
from quant import ops, tables
from quant.fold import Array, Folded
from quant.folded import forward
from quant.qformat import QFormat

CHUNK = 8  # windows run together
SAMPLES = 1 << 15  # values kept per stage and chunk
HEADROOM = 1.25
CLIP_CANDIDATES = 4  # scales tried: from no clipping to clipping at 1/8 of the largest value
HIDDEN_BITS_MAX = 15  # of unsigned codes: lanes have 16 bits and a sign
LOGIT_FRAC_MAX = 12  # keeps temperatures up to 4 inside their 16-bit register
CHANNEL_STAGES = (".k", ".v", ".cross_k", ".cross_v", ".ffn_hidden")
ROUNDED_STAGES = (".attn_out", ".cross_out", ".ffn_hidden")
ROW_SAMPLES = 1 << 18  # values kept per stage and chunk in whole rows, of what matrices read
INPUT_STAGES = ("_norm", ".attn_out", ".cross_out", ".ffn_hidden")
MANTISSA = QFormat(16, ops.MANT_BITS, False)  # of the pairs (mantissa, k) of norms and reciprocals


class Statistics:
    """Of each stage: largest magnitude, a sample, the ranges of its channels.

    Of what matrices read also the Gram matrix E[x x^T], after the norm where there is one.
    """

    def __init__(self) -> None:
        self.windows = 0
        self.absmax: dict[str, float] = {}
        self._samples: dict[str, list[Array]] = {}
        self._low: dict[str, Array] = {}
        self._high: dict[str, Array] = {}
        self._gram: dict[str, Array] = {}
        self._rows: dict[str, int] = {}
        self._kept: dict[str, list[Array]] = {}

    def note(self, stage: str, value: Array) -> Array:
        """Take in the values of one chunk, unchanged; UserError when they are not finite."""
        flat = value.reshape(-1)
        if not np.isfinite(flat).all():
            raise UserError(f"{stage} is not finite in the float model; train it again")
        self.absmax[stage] = max(self.absmax.get(stage, 0.0), float(np.abs(flat).max()))
        stride = max(1, flat.size // SAMPLES) | 1  # odd, so that no channel is left out
        self._samples.setdefault(stage, []).append(flat[::stride].copy())
        if stage.endswith(CHANNEL_STAGES):
            rows = value.reshape(-1, value.shape[-1])
            self._low[stage] = np.minimum(self._low.get(stage, np.inf), rows.min(axis=0))
            self._high[stage] = np.maximum(self._high.get(stage, -np.inf), rows.max(axis=0))
        if stage.endswith(INPUT_STAGES):
            rows = value.reshape(-1, value.shape[-1])
            self._gram[stage] = self._gram.get(stage, 0.0) + rows.T @ rows
            self._rows[stage] = self._rows.get(stage, 0) + len(rows)
        if stage.endswith(ROUNDED_STAGES):
            stride = -(-value.size // ROW_SAMPLES)
            self._kept.setdefault(stage, []).append(rows[::stride].copy())
        return value

    def channel_range(self, stage: str) -> tuple[Array, Array]:
        """Smallest and largest value of each channel."""
        return self._low[stage], self._high[stage]

    def gram(self, stage: str) -> Array:
        """[in, in] mean of x x^T over rows x of a stage that a matrix reads."""
        return self._gram[stage] / self._rows[stage]

    def variance(self, stage: str) -> Array:
        """[in] of each channel of a stage that a matrix without scalar reads."""
        mean = np.concatenate(self._kept[stage]).mean(axis=0)
        return np.maximum(np.diag(self.gram(stage)) - mean**2, 0.0)

    def rounding_mean(self, stage: str, fmt: QFormat) -> Array:
        """[in] what each channel of a stage gains on average by going through `fmt`."""
        rows = np.concatenate(self._kept[stage])
        return (fmt.decode(fmt.encode(rows)) - rows).mean(axis=0)

    def percentile(self, stage: str, share: float) -> float:
        """The magnitude that `share` percent of the values do not exceed."""
        return float(np.percentile(np.abs(self.sample(stage)), share))

    def sample(self, stage: str) -> Array:
        """Values of a stage, one dimension."""
        return np.concatenate(self._samples[stage])


def collect(folded: Folded, windows: Array | Batch) -> Statistics:
    """Run token windows [N, T], or what a model of any kind reads, through the folded model."""
    batch = windows if isinstance(windows, Batch) else Batch(windows, windows)
    if batch.tokens.size == 0:
        raise UserError("no calibration text: set quant.calibration_windows to 1 or more")
    statistics = Statistics()
    statistics.windows = len(batch.tokens)
    for start in range(0, len(batch.tokens), CHUNK):
        part = Batch._make(None if a is None else a[start : start + CHUNK] for a in batch)
        forward(folded, part.tokens, statistics.note, **part.inputs)
    return statistics


def covering_frac(absmax: float, bits: int) -> int:
    """Most fraction bits with which `bits` signed bits still hold +-absmax."""
    if absmax <= 0:
        return bits - 1
    frac = math.floor(math.log2(ops.limit(bits) / absmax))
    return max(-bits, min(frac, 2 * bits))


def best_frac(sample: Array, least: int, formats: Callable[[int], QFormat]) -> int:
    """The fraction bits, `least` or some more, of least mean squared error: a little clipping may
    buy resolution. formats: that of so many fraction bits."""

    def error(frac: int) -> float:
        fmt = formats(frac)
        return float(np.mean((fmt.decode(fmt.encode(sample)) - sample) ** 2))

    return min(range(least, least + CLIP_CANDIDATES), key=error)


def hidden_format(
    activation: str, bits: int, frac: int, cell_bits: int = tables.CELL_BITS
) -> QFormat:
    """The hidden layer's: unsigned, from the least value of the activation on."""
    bits = min(bits, HIDDEN_BITS_MAX)
    if (kind := tables.BUMPS.get(activation)) is None:
        return QFormat(bits, frac, False)
    _, bump = tables.activation_table(bits + 1, frac, kind, cell_bits)
    return QFormat(bits, frac, False, int(bump.max()))


def choose_formats(folded: Folded, stats: Statistics, quant: QuantConfig) -> dict[str, QFormat]:
    """A format for every stage of the trace, by name."""
    largest = HEADROOM * _residual_absmax(folded, stats)
    residual = QFormat(quant.residual_bits, covering_frac(largest, quant.residual_bits))
    formats = {"embed": residual, "final_norm": MANTISSA}
    if folded.encoder:
        formats |= {"encoder.embed": residual, "encoder.final_norm": MANTISSA}
    for name, layer in folded.named_layers():
        formats |= {name + s: MANTISSA for s in ("attn_norm", "attn_recip", "ffn_norm")}
        formats |= {name + s: _activation(stats, quant, name + s) for s in ("q", "k", "v")}
        formats[name + "attn_scores"] = QFormat(16, quant.score_frac_bits)
        formats[name + "attn_probs"] = QFormat(quant.prob_bits, quant.prob_bits, False)
        plain = ["attn_out"]
        if layer.gate is None:
            formats[name + "ffn_hidden"] = _hidden(folded, stats, quant, name + "ffn_hidden")
        else:
            plain += ["ffn_gate", "ffn_up", "ffn_hidden"]
        formats |= {name + s: _activation(stats, quant, name + s) for s in plain}
        formats[name + "attn_residual"] = formats[name + "ffn_residual"] = residual
        if layer.cross is not None:
            formats |= _cross_formats(name + "cross_", stats, quant, residual)
    _share_bump(formats, folded, stats, quant)
    if folded.config.activation == "swiglu":
        _reachable_hidden(formats, folded)
    logit_frac = min(covering_frac(HEADROOM * stats.absmax["logits"], 16), LOGIT_FRAC_MAX)
    formats["logits"] = QFormat(16, logit_frac)
    if folded.config.kind != "encoder":  # which samples nothing
        formats["noise"] = formats["logits"]
        formats["token"] = QFormat((len(folded.embed_tok) - 1).bit_length(), 0, False)
    return formats


def _activation(stats: Statistics, quant: QuantConfig, stage: str) -> QFormat:
    """Format of a stage, which holds q and k before their rotation as well."""
    bits = widths.width(quant, stage)
    absmax = stats.absmax[stage]
    if stage.endswith((".q", ".k", ".v")):
        absmax = max(absmax, stats.absmax[stage + ".z"])
    return _chosen(stats, quant, stage, absmax, lambda frac: QFormat(bits, frac))


def _hidden(folded: Folded, stats: Statistics, quant: QuantConfig, stage: str) -> QFormat:
    """Format of a hidden layer that an activation writes."""
    activation, bits = folded.config.activation, widths.width(quant, stage)

    def formats(frac: int) -> QFormat:
        return hidden_format(activation, bits, frac, quant.bump_bits)

    return _chosen(stats, quant, stage, stats.absmax[stage], formats)


def _chosen(
    stats: Statistics,
    quant: QuantConfig,
    stage: str,
    absmax: float,
    formats: Callable[[int], QFormat],
) -> QFormat:
    """Of the `formats` by fraction bits the one that `quant.calibration` wants."""
    if quant.calibration == "percentile":
        absmax = stats.percentile(stage, quant.percentile)
    bits = formats(0).bits
    least = covering_frac(absmax, formats(0).signed_bits)
    while formats(least).ends[1] < absmax and least > -bits:  # where 0 is above the lowest code
        least -= 1
    if quant.calibration == "mse":
        return formats(best_frac(stats.sample(stage), least, formats))
    return formats(least)


def record(stats: Statistics, quant: QuantConfig, formats: dict[str, QFormat]) -> dict:
    """What was seen of each stage, and what was made of it: travels with the artefact."""
    stages = {
        stage: {
            "absmax": stats.absmax[stage],
            "percentile": stats.percentile(stage, quant.percentile),
            "frac": fmt.frac,
        }
        for stage, fmt in formats.items()
        if stage in stats.absmax and fmt != MANTISSA
    }
    method = {"method": quant.calibration, "percentile": quant.percentile}
    return {**method, "windows": stats.windows, "stages": stages}


def _cross_formats(
    name: str, stats: Statistics, quant: QuantConfig, residual: QFormat
) -> dict[str, QFormat]:
    """Formats of cross-attention; name: "layers.0.cross_"."""
    formats = {name + s: MANTISSA for s in ("norm", "recip")}
    formats |= {name + s: _activation(stats, quant, name + s) for s in ("q", "k", "v", "out")}
    formats[name + "scores"] = QFormat(16, quant.score_frac_bits)
    formats[name + "probs"] = QFormat(quant.prob_bits, quant.prob_bits, False)
    return formats | {name + "residual": residual}


def _residual_absmax(folded: Folded, stats: Statistics) -> float:
    """The largest value that the residual, or anything added to it, takes."""
    stages = [stage for stage in stats.absmax if "residual" in stage and ".acc" not in stage]
    largest = [stats.absmax[stage] for stage in ["embed", *stages]]
    tables = (
        [folded.embed_tok] if folded.embed_pos is None else [folded.embed_tok, folded.embed_pos]
    )
    return max(largest + [float(np.abs(table).max()) for table in tables])


def _share_bump(
    formats: dict[str, QFormat], folded: Folded, stats: Statistics, quant: QuantConfig
) -> None:
    """All layers read one table of their activation, if it has one, so they share the widest range.

    The format is also that of the activation's input: silu(z) and Phi(z) z are small only where z
    is far below 0, so the range reaches as far down as inputs and table do.
    """
    activation = folded.config.activation
    if activation == "relu":
        return
    gated = activation == "swiglu"
    names = [name + ("ffn_gate" if gated else "ffn_hidden") for name, _ in folded.named_layers()]
    fracs = [formats[name].frac for name in names]
    bits = formats[names[0]].signed_bits
    end = tables.BUMPS[activation].reach * ops.limit(bits) / 2 ** (bits - 1)  # a format's end
    fracs.append(covering_frac(min(end, max(stats.absmax[f"{n}.z"] for n in names)), bits))
    shared = formats[names[0]].bits, min(fracs)
    fmt = QFormat(*shared) if gated else hidden_format(activation, *shared, quant.bump_bits)
    formats |= dict.fromkeys(names, fmt)


def _reachable_hidden(formats: dict[str, QFormat], folded: Folded) -> None:
    """SwiGLU's hidden layer is shifted right to its unit, so it is no finer than the product."""
    for prefix, _ in folded.named_layers():
        gate, up, hidden = (formats[f"{prefix}ffn_{name}"] for name in ("gate", "up", "hidden"))
        frac = min(hidden.frac, gate.frac + up.frac)
        formats[prefix + "ffn_hidden"] = QFormat(hidden.bits, frac)
