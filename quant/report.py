"""Where every bit goes: what each stage and tensor holds, loses and costs, as plain data.

Measured on a fixed sample of held-out windows, float64 against integers; `quant.report_page` draws
the same numbers.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from model.tasks import Batch, Task
from quant import sensitivity
from quant.fold import Array, Folded
from quant.folded import forward
from quant.golden import GoldenModel, Trace
from quant.score import Score, compare, summarise
from quant.sensitivity import Stage, Tensor, cost

TOKENS = 8192  # of the sample, at most
LOGITS = 1 << 24  # tokens times vocabulary, at most
WORK = 1 << 38  # multiplications that the measurement may cost, about
BINS = 64
KEPT = 1 << 15  # values per stage and chunk from which histograms are drawn
VIEW = 2.0  # a histogram goes beyond the values to the format's end, but not further than so often


def details(folded: Folded, gm: GoldenModel, task: Task) -> dict[str, Any]:
    """`sample`, `stages` and `tensors` of a report; stages and tensors begin with the worst.

    `folded` is the float model, in the shape of the integers, that `gm` was made from. In `sample`
    `kl` is that of the integer model, `kl_of_all_stages` and `kl_of_all_tensors` of all of them at
    once with the rest in float, `kl_of_parts` the sum of all rows.
    """
    qm = gm.qm
    stages = list(sensitivity.stages(qm, folded))
    tensors = list(sensitivity.tensors(qm, folded))
    weights = sum(tensor.codes.size for tensor in tensors)
    batch = sample(task, (len(stages) + len(tensors)) * weights, qm.vocab_size)
    real = sensitivity.logits(folded, batch)
    together = summarise(
        compare(real, gm.forward(batch.tokens, **batch.inputs) * 2.0**-qm.logit_frac, batch.targets)
    )
    seen = observe(folded, gm, stages, batch)
    stage_rows = [
        _row(stage.name, seen[stage.name].row(stage), cost(folded, batch, real, [stage]))
        for stage in stages
    ]
    tensor_rows = [
        _row(tensor.name, tensor_row(tensor), cost(folded, batch, real, tensors=[tensor]))
        for tensor in tensors
    ]
    rows = stage_rows + tensor_rows
    return {
        "sample": {
            "windows": len(batch.tokens),
            **{key: _finite(value) for key, value in together.as_dict().items()},
            "kl_of_all_stages": cost(folded, batch, real, stages).kl,
            "kl_of_all_tensors": cost(folded, batch, real, tensors=tensors).kl,
            "kl_of_parts": sum(row["kl"] for row in rows),
            "loss_increase_of_parts": sum(row["loss_increase"] for row in rows),
        },
        "stages": sorted(stage_rows, key=_worst_first),
        "tensors": sorted(tensor_rows, key=_worst_first),
    }


def sample(task: Task, work: int, vocab_size: int) -> Batch:
    """Held-out windows, spread evenly; fewer where a token costs much `work`."""
    held_out = task.validation
    count, length = held_out.tokens.shape
    tokens = min(TOKENS, LOGITS // vocab_size, WORK // work)
    rows = np.unique(np.arange(max(1, tokens // length)) * count // max(1, tokens // length))
    return held_out.take(rows)


def _worst_first(row: dict[str, Any]) -> float:
    return -row["kl"]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _row(name: str, measured: dict[str, Any], cost: Score) -> dict[str, Any]:
    layer = re.match(r"(encoder\.)?layers\.\d+", name)
    return {
        "name": name,
        "layer": layer and layer[0],
        **measured,
        "kl": cost.kl,
        "kl_se": _finite(cost.kl_se),
        "loss_increase": cost.loss_increase,
        "loss_increase_se": _finite(cost.loss_increase_se),
    }


class Seen:
    """Running sums over the values of one stage, and some of the values."""

    def __init__(self) -> None:
        self.low, self.high = math.inf, -math.inf
        self.count = self.outside = 0
        self.signal = self.noise = 0.0
        self._kept: list[Array] = []

    def add(
        self, value: Array, integer: Array, ends: tuple[float, float] | None, half: float
    ) -> None:
        """Real values, and what the integers have instead, of equal shapes.

        `ends` of the format; a value is outside when it is more than `half` a unit beyond.
        """
        flat = value.reshape(-1)
        self.low, self.high = min(self.low, float(flat.min())), max(self.high, float(flat.max()))
        self.count += flat.size
        if ends is not None:
            outside = (flat < ends[0] - half) | (flat >= ends[1] + half)
            self.outside += int(outside.sum())
        self.signal += float((flat**2).sum())
        self.noise += float(((integer.reshape(-1) - flat) ** 2).sum())
        self._kept.append(flat[:: max(1, flat.size // KEPT) | 1].copy())

    def row(self, stage: Stage) -> dict[str, Any]:
        """As plain data."""
        return {
            "format": stage.text,
            "low": self.low,
            "high": self.high,
            "saturation": None if stage.ends is None else self.outside / self.count,
            "snr_db": decibels(self.signal, self.noise),
            "histogram": histogram(np.concatenate(self._kept), self.low, self.high, stage.ends),
        }


def observe(folded: Folded, gm: GoldenModel, stages: list[Stage], batch: Batch) -> dict[str, Seen]:
    """Float model and golden model side by side on windows; padding is left out."""
    by_note = {stage.note: stage for stage in stages}
    seen = {stage.name: Seen() for stage in stages}
    for part in sensitivity.chunks(batch):
        trace: Trace = {}
        gm.forward(part.tokens, trace, **part.inputs)

        def note(name: str, value: Array, trace: Trace = trace, part: Batch = part) -> Array:
            if name in by_note:
                stage = by_note[name]
                codes = stage.fmt.max_int - stage.fmt.min_int
                half = (stage.ends[1] - stage.ends[0]) / codes / 2 if stage.ends else 0.0
                rows, visible = sensitivity.seen(stage.name, part, gm.qm.kind)
                integers = trace[stage.name] if rows is None else trace[stage.name][rows]
                integer = stage.decode(integers, visible)
                seen[stage.name].add(value, integer, stage.ends, half)
            return value

        forward(folded, part.tokens, note, **part.inputs)
    return seen


def decibels(signal: float, noise: float) -> float | None:
    """Signal-to-noise ratio from two sums of squares; None where one of them is 0."""
    return 10 * math.log10(signal / noise) if signal > 0 and noise > 0 else None


def histogram(
    values: Array, low: float, high: float, ends: tuple[float, float] | None
) -> dict[str, Any]:
    """`counts` in equal bins from `low` to `high`: all values, and the near `ends`.

    `values`: some of those that lie between the given low and high.
    """
    reach = VIEW * max(abs(low), abs(high))
    if ends is not None:
        low, high = min(low, max(ends[0], -reach)), max(high, min(ends[1], reach))
    if low == high:
        low, high = low - 0.5, high + 0.5
    counts, _ = np.histogram(values, bins=BINS, range=(low, high))
    marked = None if ends is None else list(ends)
    return {"low": low, "high": high, "ends": marked, "counts": counts.tolist()}


def tensor_row(tensor: Tensor) -> dict[str, Any]:
    """What a tensor's codes hold and lose."""
    top = (1 << (tensor.bits - 1)) - 1
    scaled = np.floor(tensor.real * 2.0 ** tensor.fracs[:, None] + 0.5)
    noise = float(((tensor.decoded - tensor.real) ** 2).sum())
    return {
        "format": tensor.text,
        "shape": list(tensor.codes.shape),
        "low": float(tensor.real.min()),
        "high": float(tensor.real.max()),
        "saturation": float((np.abs(scaled) > top).mean()),
        "snr_db": decibels(float((tensor.real**2).sum()), noise),
        "histogram": code_histogram(tensor.codes, top),
    }


def code_histogram(codes: Array, top: int) -> dict[str, Any]:
    """Like `histogram`, of integers: every bin holds equally many of them, down to one."""
    reach = min(top, int(VIEW * np.abs(codes.astype(int)).max()) or 1)
    width = -(-(2 * reach + 1) // BINS) | 1  # odd, so that the middle bin is around 0
    bins = (2 * reach // width + 1) | 1
    edge = bins * width / 2
    counts, _ = np.histogram(codes, bins=bins, range=(-edge, edge))
    return {"low": -edge, "high": edge, "ends": [-top, top], "counts": counts.tolist()}
