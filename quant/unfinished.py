"""An unfinished training of integers on disk, from which it continues bit for bit."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from configs.cli import UserError
from model import checkpoint
from model.optim import Optimizer
from quant.latent import Latent, linears
from quant.qmodel import QuantModel

COUNTERS = ("step", "clock", "cpu")


@dataclass
class Run:
    """State of a training after `step` steps, which took so many seconds."""

    latent: Latent
    optimizer: Optimizer
    step: int = 0
    clock: float = 0.0
    cpu: float = 0.0

    def tensors(self) -> dict[str, np.ndarray]:
        """All that the steps change, as it is: to be written, or to be read into."""
        return {"params": self.latent.params.flat} | self.optimizer.state


def fresh(latent: Latent) -> Run:
    """A training that has not begun."""
    return Run(latent, Optimizer(latent.params, "adam"))


def digest(qm: QuantModel, about: dict) -> str:
    """Of all that decides what becomes of an artefact: its integers, and the options `about`."""
    head = {
        "about": about,
        "quant": qm.quant,
        "model": qm.config,
        "source": qm.meta.get("source"),
        "formats": {name: asdict(fmt) for name, fmt in qm.formats.items()},
        "eps": qm.eps_int,
    }
    result = hashlib.sha256(json.dumps(head, sort_keys=True).encode())
    tensors = [qm.embed_tok, qm.embed_pos, *(table for _, table in sorted(qm.tables.items()))]
    for _, one in linears(qm):
        tensors += [one.weight, one.shift, one.bias, one.weight_frac]
    for tensor in tensors:
        result.update(b"" if tensor is None else np.ascontiguousarray(tensor).tobytes())
    return result.hexdigest()


def save(path: Path, run: Run, run_id: str) -> None:
    """Write the state in one step."""
    about = {"run": run_id, "counters": {name: getattr(run, name) for name in COUNTERS}}
    checkpoint.write_tensors(path, run.tensors(), about)


def load(path: Path, latent: Latent, run_id: str) -> Run:
    """The saved run of this identity, else a fresh one; UserError when the file is damaged."""
    run = fresh(latent)
    if not path.exists():
        return run
    afresh = "remove it to begin anew (or: python -m quant.qat --fresh)"
    tensors, about = checkpoint.read_tensors(path, afresh)
    if about.get("run") != run_id:
        return run
    try:
        counters = {name: float(about["counters"][name]) for name in COUNTERS}
        for name, array in run.tensors().items():
            np.copyto(array, tensors[name], casting="no")
    except (KeyError, ValueError, TypeError):
        raise UserError(f"'{path}' is damaged; {afresh}") from None
    run.step, run.clock, run.cpu = int(counters["step"]), counters["clock"], counters["cpu"]
    return run
