"""One training step of a few shapes, ours and PyTorch's, for the benchmark.

`python -m model.steps ours 0` prints the memory that a step of shape 0 needs beyond the model, its
optimizer and the batch, as JSON: the peak of a process that does nothing else.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from configs.cli import UserError, run
from configs.schema import ModelConfig, TrainConfig
from model import memory, peer, transformer
from model.optim import Optimizer, clip

STEPS = 8  # until the memory of a step no longer grows


class Shape(NamedTuple):
    """A model and its batch (B, T); `answers`: the loss looks at the last two positions only."""

    name: str
    model: ModelConfig
    vocab_size: int
    batch: int
    length: int
    answers: bool = False


def _shape(name: str, length: int, **options: Any) -> Shape:
    """d_model 64, 4 heads, 2 layers, d_ff 256."""
    return Shape(name, ModelConfig(context=length, tied_head=False, **options), 65, 32, length)


GPT2: dict[str, Any] = {"norm": "layernorm", "activation": "gelu", "bias": True}
SHAPES = (
    _shape("d 64, batch 32, context 64, RMSNorm and ReLU", 64),
    _shape("d 64, batch 32, context 64, LayerNorm, GELU and biases", 64, **GPT2),
    _shape("d 64, batch 32, context 128, RMSNorm and ReLU", 128),
    Shape(
        "digits: d 32, batch 64, 15 tokens, LayerNorm, GELU and biases",
        ModelConfig(d_model=32, d_ff=64, context=16, tied_head=False, **GPT2),
        20,
        64,
        15,
        answers=True,
    ),
)


def batch(shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    tokens, targets = rng.integers(0, shape.vocab_size, (2, shape.batch, shape.length), np.int32)
    if shape.answers:
        targets[:, :-2] = -1
    return tokens, targets


def our_step(shape: Shape) -> Callable[[], float]:
    """A function that does forward, backward, clipping and AdamW once, and returns the loss."""
    tokens, targets = batch(shape)
    params = transformer.init(shape.model, shape.vocab_size, np.random.default_rng(1))
    grads, train = params.like(), TrainConfig()
    optimizer = Optimizer(params, "adamw")

    def step() -> float:
        loss = transformer.loss_and_gradients(params, tokens, targets, shape.model, grads)
        clip(grads.flat, train.clip)
        optimizer.update(params, grads, train, train.warmup_steps)
        return loss

    return step


def their_step(shape: Shape) -> Callable[[], object]:
    """The same in PyTorch, eager, on one thread, with its fused AdamW."""
    tokens, targets = batch(shape)
    params = transformer.init(shape.model, shape.vocab_size, np.random.default_rng(1))
    module = peer.build(shape.model, params, shape.vocab_size)  # says so if there is no torch
    from model.peer import run as peer_run

    return peer_run.step(module, tokens, targets, TrainConfig())


def _peak() -> tuple[float, float]:
    """Memory of this process in MiB: now, and the most since the start."""
    text = Path("/proc/self/status").read_text()
    fields = dict(line.split(":", 1) for line in text.splitlines())
    now, most = (int(fields[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))
    return now, most


def main() -> None:
    parser = argparse.ArgumentParser("python -m model.steps", description=__doc__)
    parser.add_argument("side", choices=("ours", "torch"))
    parser.add_argument("shape", type=int, choices=range(len(SHAPES)))
    args = parser.parse_args()
    make = {"ours": our_step, "torch": their_step}[args.side]
    if not Path("/proc/self/status").exists():
        raise UserError("the memory of a process is read from /proc, which this system lacks")
    memory.keep()
    small = SHAPES[args.shape]._replace(batch=1, length=4)
    make(small)()  # what is loaded at the first use is not the step's
    step = make(SHAPES[args.shape])
    before, _ = _peak()
    for _ in range(STEPS):
        step()
    print(json.dumps({"mib": round(_peak()[1] - before, 2)}))


if __name__ == "__main__":
    run(main)
