"""What each number format costs alone: one stage, or one tensor, in integers and all else in float.

The float side is the folded model, which computes what the integers compute. A stage passes
through its format and back where the forward pass notes it; a tensor is put in as it is decoded.
What the integers do between two stages (reduced accumulators, the table of the activation) belongs
to no part: it is in what all parts cost together, which `quant.report` sets beside their sum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from model.tasks import Batch
from quant import ops, tables
from quant.fold import Array, Folded, FoldedLayer, FoldedLinear
from quant.folded import HEAD_STAGES, Note, forward, visible_keys
from quant.qformat import QFormat
from quant.qmodel import Linear, QuantModel
from quant.quantize import real_bias
from quant.score import Score, compare, summarise

CHUNK = 8  # windows run together


@dataclass(frozen=True)
class Stage:
    """A stage of the trace as the folded forward pass meets it."""

    name: str
    note: str  # under which the forward pass notes its value
    fmt: QFormat
    ends: tuple[float, float] | None  # smallest and largest value that the format holds
    through: Callable[[Array], Array]  # what the integers make of a real value
    decode: Callable[[Array, Array], Array]
    # the trace's integers [B, T, ...] as the values of the note, and which keys [.., T, S] are seen

    @property
    def text(self) -> str:
        """The format, with the exponent that a pair (mantissa, k) adds."""
        return str(self.fmt) if self.ends else f"{self.fmt} · 2^−k"


@dataclass(frozen=True)
class Tensor:
    """A constant of the artefact: its codes, and the same in the folded model."""

    name: str
    bits: int
    fracs: Array  # int [rows], fraction bits of each
    codes: Array  # int [rows, columns]
    real: Array  # float [rows, columns]
    put: Callable[[Folded], Folded]  # the model with the decoded codes in place of the floats

    @property
    def text(self) -> str:
        low, high = int(self.fracs.min()), int(self.fracs.max())
        return f"s{self.bits}.{low}" + (f" to .{high}" if high > low else "")

    @property
    def decoded(self) -> Array:
        return self.codes * 2.0 ** -self.fracs[:, None]


def stages(qm: QuantModel, folded: Folded) -> Iterator[Stage]:
    """All stages that hold a value of the float model, in the order of execution."""
    for name, fmt in qm.formats.items():
        part = name.rpartition(".")[2]
        if part.endswith("_norm"):
            yield _norm(qm, folded, name, fmt)
        elif part.endswith("_recip"):
            yield _recip(qm, name, fmt)
        elif part.endswith("_probs"):
            # the largest code stands for 1, so one unit is not quite 2^-frac
            yield _plain(name, fmt, unit=1 / fmt.max_int, decode=_visible)
        elif part.endswith("_scores"):
            yield _plain(name, fmt, decode=_visible)
        elif part == "embed":
            yield _sum(name, fmt)
        elif part not in ("noise", "token"):
            yield _plain(name, fmt)


def seen(stage: str, batch: Batch, kind: str) -> tuple[Array | None, Array]:
    """Which rows [B, T] of a stage are real (None: all), and which keys its queries look at."""
    encoder = stage.startswith("encoder.")
    from_source = encoder or stage.endswith(("cross_k", "cross_v"))
    queries = batch.source if from_source else batch.tokens
    crosses = ".cross_" in stage
    keys, mask = (
        (batch.source, batch.source_mask) if crosses or encoder else (batch.tokens, batch.mask)
    )
    assert queries is not None
    assert keys is not None
    causal = kind != "encoder" and not crosses and not encoder
    visible = visible_keys(queries.shape[1], keys.shape[1], mask, causal)
    rows = batch.source_mask if from_source else batch.mask
    return None if stage.endswith(HEAD_STAGES) else rows, visible


def _same(trace: Array, visible: Array) -> Array:
    return trace


def _visible(trace: Array, visible: Array) -> Array:
    """[B, T, H, S] of the trace as the forward pass notes it, only what is looked at."""
    value = trace.swapaxes(1, 2)
    return value[(..., visible) if visible.ndim == 2 else np.broadcast_to(visible, value.shape)]


def _plain(
    name: str,
    fmt: QFormat,
    unit: float | None = None,
    decode: Callable[[Array, Array], Array] = _same,
) -> Stage:
    """Nearest code, saturated; `unit`: the value of one code, if not 2^-frac."""
    factor = 1.0 if unit is None else unit / fmt.step

    def through(value: Array) -> Array:
        return fmt.decode(fmt.encode(value / factor)) * factor

    def real(trace: Array, seen: Array) -> Array:
        return fmt.decode(decode(trace, seen)) * factor

    return Stage(name, name, fmt, (fmt.ends[0] * factor, fmt.ends[1] * factor), through, real)


def _sum(name: str, fmt: QFormat) -> Stage:
    """A sum of integers, which can only saturate."""
    return replace(_plain(name, fmt), through=lambda value: np.clip(value, *fmt.ends))


def _norm(qm: QuantModel, folded: Folded, name: str, fmt: QFormat) -> Stage:
    """1/rms [B, T, 1] as the table gives it for the sum of squares."""
    d_model, frac = qm.config["d_model"], qm.formats["embed"].frac
    unit = d_model * 4.0**frac
    point = frac + tables.norm_octave(d_model) - ops.MANT_BITS
    rsqrt = qm.tables["rsqrt"]
    assert rsqrt is not None

    def real(mantissa: Array, k: Array) -> Array:
        return mantissa * 2.0 ** (point - k)

    def through(scalar: Array) -> Array:
        squares = np.maximum(scalar**-2.0 - folded.eps, 0.0) * unit
        return real(*ops.norm_scalar(np.floor(squares + 0.5).astype(np.int64) + qm.eps_int, rsqrt))

    def decode(pair: Array, visible: Array) -> Array:
        return real(pair[..., :1], pair[..., 1:])

    return Stage(name, f"{name}.scalar", fmt, None, through, decode)


def _recip(qm: QuantModel, name: str, fmt: QFormat) -> Stage:
    """The sum [B, H, T, 1] by which the softmax divides, as its reciprocal in the table has it."""
    one, recip = (1 << qm.quant["prob_bits"]) - 1, qm.tables["recip"]
    assert recip is not None

    def real(mantissa: Array, k: Array) -> Array:
        return 2.0 ** (k + ops.MANT_BITS) / (mantissa * one)

    def through(total: Array) -> Array:
        return real(*ops.recip_scalar(np.floor(total * one + 0.5).astype(np.int64), recip))

    def decode(pair: Array, visible: Array) -> Array:
        pair = pair.swapaxes(1, 2)  # [B, H, T, 2]
        return real(pair[..., :1], pair[..., 1:])

    return Stage(name, name, fmt, None, through, decode)


def tensors(qm: QuantModel, folded: Folded) -> Iterator[Tensor]:
    """All matrices, each with its bias, and the embeddings."""
    frac = qm.formats["embed"].frac
    for name in ("embed_tok", "embed_pos"):
        codes, real = getattr(qm, name), getattr(folded, name)
        if codes is not None:
            fracs = np.full(len(codes), frac)
            put = _embedding(name, codes * 2.0**-frac)
            yield Tensor(name, qm.formats["embed"].bits, fracs, codes, real, put)
    every = zip(qm.named_layers(), folded.named_layers(), strict=True)
    for (prefix, layer), (_, float_layer) in every:
        for part, linear in layer.linears().items():
            real = _part(float_layer, part)
            fracs, put = linear.weight_frac.astype(int), _matrix(prefix, part, decoded(linear))
            name = f"{prefix}{part}.weight"
            yield Tensor(name, linear.weight_bits, fracs, linear.weight, real.weight, put)
    head = decoded(qm.head)
    yield Tensor(
        "head.weight",
        qm.head.weight_bits,
        qm.head.weight_frac.astype(int),
        qm.head.weight,
        folded.head.weight,
        lambda model: replace(model, head=head),
    )


def decoded(linear: Linear) -> FoldedLinear:
    """The real matrix and bias that a step's integers stand for."""
    weight = linear.weight * 2.0 ** -linear.weight_frac.astype(float)[:, None]
    return FoldedLinear(weight, real_bias(linear))


def _embedding(name: str, value: Array) -> Callable[[Folded], Folded]:
    if name == "embed_tok":
        return lambda model: replace(model, embed_tok=value)
    return lambda model: replace(model, embed_pos=value)


def _part(layer: FoldedLayer, part: str) -> FoldedLinear:
    """The matrix that the integers call `part`: "up", "cross_q"."""
    owner = layer.cross if part.startswith("cross_") else layer
    linear = getattr(owner, part.removeprefix("cross_"))
    assert isinstance(linear, FoldedLinear)
    return linear


def _matrix(prefix: str, part: str, linear: FoldedLinear) -> Callable[[Folded], Folded]:
    """prefix: of the layer, "layers.0." or "encoder.layers.0."."""
    stack, index = prefix.rstrip(".").rsplit(".", 1)
    name = "encoder" if stack.startswith("encoder") else "layers"

    def put(model: Folded) -> Folded:
        layers: list[FoldedLayer] = list(getattr(model, name))
        layers[int(index)] = _with(layers[int(index)], part, linear)
        changed: dict[str, Any] = {name: tuple(layers)}
        return replace(model, **changed)

    return put


def _with(layer: FoldedLayer, part: str, linear: FoldedLinear) -> FoldedLayer:
    changed: dict[str, Any] = {part.removeprefix("cross_"): linear}
    if part.startswith("cross_") and layer.cross is not None:
        return replace(layer, cross=replace(layer.cross, **changed))
    return replace(layer, **changed)


def logits(folded: Folded, batch: Batch, note: Note | None = None) -> Array:
    """[B, T, V] of the float model, a few windows at a time, which is faster than all at once."""
    parts = chunks(batch)
    return np.concatenate([forward(folded, part.tokens, note, **part.inputs) for part in parts])


def chunks(batch: Batch) -> list[Batch]:
    """A few windows each, in their whole length."""
    starts = range(0, len(batch.tokens), CHUNK)
    return [
        Batch._make(None if a is None else a[start : start + CHUNK] for a in batch)
        for start in starts
    ]


def cost(
    folded: Folded,
    batch: Batch,
    real: Array,
    stages: Sequence[Stage] = (),
    tensors: Sequence[Tensor] = (),
) -> Score:
    """Of some stages and tensors in integers, against the logits `real` [B, T, V] in float."""
    chosen = {stage.note: stage for stage in stages}

    def note(name: str, value: Array) -> Array:
        return chosen[name].through(value) if name in chosen else value

    for tensor in tensors:
        folded = tensor.put(folded)
    changed = logits(folded, batch, note if chosen else None)
    return summarise(compare(real, changed, batch.targets))
