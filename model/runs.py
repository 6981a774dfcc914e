"""An unfinished training on disk: `last.safetensors`, from which it continues bit for bit.

One file, replaced in one step, so parameters, optimizer and counters always belong together.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from configs.cli import UserError
from configs.files import write_text
from configs.schema import Config, TrainConfig
from model import checkpoint, transformer
from model.optim import Optimizer
from model.tasks import Task

# purposes of random numbers; tasks.py uses 0
INIT, BATCH, CALIBRATION, SAMPLE, DROPOUT, QAT, SEARCH = range(1, 8)

OVERFIT = 0.02  # rise of the validation loss above its lowest that is worth a word


def generator(seed: int, purpose: int, step: int = 0) -> np.random.Generator:
    """Each random use has its own generator: no state to save, none to disturb another."""
    return np.random.default_rng([seed, purpose, step])


@dataclass
class Run:
    """State of a training after `step` steps."""

    params: transformer.Params
    optimizer: Optimizer
    step: int = 0
    best: float = math.inf  # lowest validation loss so far
    loss_sum: float = 0.0  # of the training batches since the last evaluation
    loss_count: int = 0
    records: list[dict] = field(default_factory=list)  # the lines of metrics.jsonl

    def stale(self) -> int:
        """Evaluations since the best one."""
        losses = [record["validation_loss"] for record in self.records]
        return len(losses) - 1 - losses.index(min(losses)) if losses else 0

    def finished(self, settings: TrainConfig) -> bool:
        """All steps are done, or `patience` evaluations have brought nothing better."""
        patience = settings.patience
        return self.step == settings.steps or (patience is not None and self.stale() >= patience)

    def overfitting(self) -> str | None:
        """What to say when the training loss falls while the validation loss rises; or None."""
        if not self.stale():
            return None
        last, best = self.records[-1], self.records[-1 - self.stale()]
        rise = last["validation_loss"] / best["validation_loss"] - 1
        if last["train_loss"] >= best["train_loss"] or rise < OVERFIT:
            return None
        return f"overfitting: validation was {rise:.1%} lower at step {best['step']}"


COUNTERS = ("step", "best", "loss_sum", "loss_count", "records")


def fresh(config: Config, task: Task) -> Run:
    """A run that has not begun."""
    rng = generator(config.train.seed, INIT)
    params = transformer.init(config.model, len(task.tokenizer.vocab), rng)
    return Run(params, Optimizer(params, config.train.optimizer))


def identity(config: Config, task: Task) -> str:
    """Digest of all that decides the outcome of a run: shapes, data and schedule."""
    about = {
        "model": config.model.model_dump(),
        "data": config.data.model_dump(exclude={"text", "prompt"}),
        "train": config.train.model_dump(exclude={"sample_tokens"}),
        "tokenizer": task.tokenizer.to_dict(),
        "text": task.fingerprint,
    }
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def save(folder: Path, run: Run, run_id: str) -> None:
    """Write `last.safetensors` and `metrics.jsonl`, each in one step."""
    tensors = {"params": run.params.flat} | run.optimizer.state
    about = {"run": run_id, "counters": {name: getattr(run, name) for name in COUNTERS}}
    checkpoint.write_tensors(folder / "last.safetensors", tensors, about)
    write_text(folder / "metrics.jsonl", "".join(json.dumps(r) + "\n" for r in run.records))


def load(folder: Path, config: Config, task: Task) -> Run | None:
    """The saved run of this very config and data; None when there is none.

    Raises UserError when the file is damaged. A run whose best weights are lost counts as none.
    """
    path = folder / "last.safetensors"
    if not path.exists():
        return None
    afresh = "remove it to begin anew (or: python -m model.train --fresh)"
    tensors, about = checkpoint.read_tensors(path, afresh)
    if about.get("run") != identity(config, task):
        return None
    run = fresh(config, task)
    try:
        for name, value in about["counters"].items():
            setattr(run, name, value)
        for name, array in ({"params": run.params.flat} | run.optimizer.state).items():
            np.copyto(array, tensors[name], casting="no")
    except (KeyError, ValueError, TypeError, AttributeError):
        raise UserError(f"'{path}' is damaged; {afresh}") from None
    return run if run.best == math.inf or _usable(folder) else None


def is_imported(folder: Path) -> bool:
    """Whether the weights in a folder came from elsewhere (`foreign/importing.py`): of step 0."""
    return _usable(folder) and checkpoint.load(folder).step == 0


def _usable(folder: Path) -> bool:
    try:
        checkpoint.load(folder)
    except UserError:
        return False
    return True
