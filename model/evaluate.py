"""How good a model is: loss on held-out data, exact answers, samples."""

from __future__ import annotations

import numpy as np

from configs.schema import ModelConfig
from model import layers, runs, transformer
from model.checkpoint import Checkpoint
from model.generate import continuation, generate
from model.tasks import DigitsTask, Task

WINDOWS = 256  # enough for the loss during training; the whole validation set may be long
_BATCH = 32


def loss(
    params: transformer.Params, task: Task, config: ModelConfig, windows: int | None = None
) -> float:
    """Mean loss in nats per token on the held-out data, or on `windows` of it, spread evenly."""
    tokens, targets = task.validation
    if windows is not None and windows < len(tokens):
        rows = np.arange(windows) * len(tokens) // windows
        tokens, targets = tokens[rows], targets[rows]
    total = 0.0
    for start in range(0, len(tokens), _BATCH):
        logits = transformer.forward(params, tokens[start : start + _BATCH], config)
        aims = targets[start : start + _BATCH].reshape(-1)
        mean, _ = layers.cross_entropy_forward(logits.reshape(aims.size, -1), aims)
        total += mean * int(np.count_nonzero(aims >= 0))
    return total / int(np.count_nonzero(targets >= 0))


def digit_hits(params: transformer.Params, task: DigitsTask, config: ModelConfig) -> np.ndarray:
    """Whether each held-out question gets its exact answer, <eos> included: bool (n,)."""
    logits = transformer.forward(params, task.validation.tokens, config)
    return (logits[:, -2:].argmax(axis=2) == task.validation.targets[:, -2:]).all(axis=1)


def report(trained: Checkpoint, task: Task, seed: int) -> str:
    """Accuracy per operation of digits; samples of text, greedy and with temperature."""
    if isinstance(task, DigitsTask):
        return _accuracy(trained, task)
    return "\n".join(
        f"temperature {temperature}: "
        + sample(trained, trained.config.context, temperature, runs.generator(seed, runs.SAMPLE))
        for temperature in (0.0, 0.7)
    )


def sample(trained: Checkpoint, tokens: int, temperature: float, rng: np.random.Generator) -> str:
    """The model's own prompt and up to `tokens` tokens after it."""
    prompt = trained.tokenizer.encode(trained.prompt)
    ids = generate(
        trained.params, trained.config, prompt, tokens, temperature, rng, trained.stop_token
    )
    return continuation(trained.tokenizer, prompt, list(ids)).rstrip()


def _accuracy(trained: Checkpoint, task: DigitsTask) -> str:
    hits = digit_hits(trained.params, task, trained.config)
    operations = np.array([trained.tokenizer.vocab[i] for i in task.questions[:, 0]])
    lines = [f"exact answers to unseen questions: {hits.sum()} of {len(hits)}"]
    for name in sorted(set(operations)):
        part = hits[operations == name]
        lines.append(f"  {name:7}{part.mean():8.2%} of {len(part)}")
    return "\n".join(lines)
