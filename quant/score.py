"""How much the integers lose against the float model, on the same held-out tokens."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np

from model import transformer
from model.checkpoint import Checkpoint
from model.tasks import QuestionTask, Task
from quant.golden import GoldenModel

WINDOWS = 256  # at most, spread evenly over the held-out data
CHUNK = 16


@dataclass(frozen=True)
class Score:
    """Means over tokens, nats; `_se`: standard errors over windows, paired where a difference."""

    tokens: int
    float_loss: float
    integer_loss: float
    loss_increase: float
    loss_increase_se: float
    same_argmax: float
    same_argmax_se: float
    kl: float
    kl_se: float

    def as_dict(self) -> dict:
        return asdict(self)


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Over the last axis, float64."""
    logits = logits.astype(np.float64)
    logits -= logits.max(axis=-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def score(trained: Checkpoint, gm: GoldenModel, task: Task) -> Score:
    """Compare float model and golden model on the task's held-out data."""
    data = task.validation
    rows = np.unique(np.arange(WINDOWS) * len(data.tokens) // WINDOWS)
    parts = []
    for start in range(0, len(rows), CHUNK):
        batch = data.take(rows[start : start + CHUNK])
        real = transformer.forward(trained.params, batch.tokens, trained.config, **batch.inputs)
        integer = gm.forward(batch.tokens, **batch.inputs) / 2.0**gm.qm.logit_frac
        parts.append(compare(real, integer, batch.targets))
    return summarise(np.concatenate(parts))


def compare(real: np.ndarray, integer: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Per window [N, 5]: scored tokens, and sums of both losses, same argmax, and KL.

    real, integer: logits [N, T, V]; targets [N, T], negative where the loss does not look.
    """
    scored = targets >= 0  # [N, T]
    p, q = log_softmax(real), log_softmax(integer)
    pick = np.maximum(targets, 0)[..., None]
    values = [
        -np.take_along_axis(p, pick, axis=-1)[..., 0],
        -np.take_along_axis(q, pick, axis=-1)[..., 0],
        p.argmax(axis=-1) == q.argmax(axis=-1),
        (np.exp(p) * (p - q)).sum(axis=-1),
    ]
    sums = [(value * scored).sum(axis=1) for value in values]
    return np.stack([scored.sum(axis=1), *sums], axis=1)


def summarise(windows: np.ndarray) -> Score:
    """Means over tokens from the sums [N, 5] of `compare`, standard errors over windows."""
    count = windows[:, 0]
    float_loss, integer_loss, same, kl = windows[:, 1:].sum(axis=0) / count.sum()

    def error(sums: np.ndarray, mean: float) -> float:
        if len(sums) < 2:
            return math.nan
        residual = sums - mean * count  # of a ratio of sums
        spread = float((residual**2).sum()) * len(sums) / (len(sums) - 1)
        return math.sqrt(spread) / float(count.sum())

    increase = integer_loss - float_loss
    return Score(
        tokens=int(count.sum()),
        float_loss=float(float_loss),
        integer_loss=float(integer_loss),
        loss_increase=float(increase),
        loss_increase_se=error(windows[:, 2] - windows[:, 1], increase),
        same_argmax=float(same),
        same_argmax_se=error(windows[:, 3], same),
        kl=float(kl),
        kl_se=error(windows[:, 4], kl),
    )


def exact_answers(trained: Checkpoint, gm: GoldenModel, task: QuestionTask) -> dict[str, int]:
    """Held-out questions, and how many float and golden model answer exactly, <eos> included."""
    data = task.validation
    real = transformer.forward(trained.params, data.tokens, trained.config, **data.inputs)
    return {
        "questions": len(data.tokens),
        "float": exact(real, data.targets),
        "integer": exact(gm.forward(data.tokens, **data.inputs), data.targets),
    }


def exact(logits: np.ndarray, targets: np.ndarray) -> int:
    """Rows [T, V] of which the likeliest tokens are all the targets [T] where those are not -1."""
    return int(((logits.argmax(axis=-1) == targets) | (targets < 0)).all(axis=1).sum())
