"""How good a model is: loss on held-out data, exact answers, samples."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from configs.schema import ModelConfig
from model import layers, runs, transformer
from model.checkpoint import Checkpoint
from model.generate import continuation, generate, read
from model.tasks import Batch, QuestionTask, Task

WINDOWS = 256  # enough for the loss during training; the whole validation set may be long
_BATCH = 32


def loss(
    params: transformer.Params, task: Task, config: ModelConfig, windows: int | None = None
) -> float:
    """Mean loss in nats per token on the held-out data, or on `windows` of it, spread evenly."""
    data, total, count = task.validation, 0.0, 0
    if windows is not None and windows < len(data.tokens):
        data = data.take(np.arange(windows) * len(data.tokens) // windows)
    for logits, targets in _forward(params, data, config):
        mean, _ = layers.cross_entropy_forward(
            logits.reshape(targets.size, -1), targets.reshape(-1)
        )
        scored = int(np.count_nonzero(targets >= 0))
        total += mean * scored
        count += scored
    return total / count


def hits(params: transformer.Params, task: Task, config: ModelConfig) -> np.ndarray:
    """Whether all targets of each held-out row are the likeliest tokens, the right ones before
    them being known: bool (n,)."""
    rows = [
        ((logits.argmax(axis=2) == targets) | (targets < 0)).all(axis=1)
        for logits, targets in _forward(params, task.validation, config)
    ]
    return np.concatenate(rows)


def _forward(
    params: transformer.Params, data: Batch, config: ModelConfig
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Logits (b, T, V) and targets (b, T) of all rows, a few at a time."""
    for start in range(0, len(data.tokens), _BATCH):
        batch = data.take(slice(start, start + _BATCH))
        yield transformer.forward(params, batch.tokens, config, **batch.inputs), batch.targets


def autoregressive(
    params: transformer.Params, task: QuestionTask, config: ModelConfig
) -> np.ndarray:
    """Whether each held-out question gets its exact answer and nothing more, when the model
    writes it token by token, the likeliest each time: bool (n,)."""
    if config.kind == "encoder":
        return hits(params, task, config)  # it does not write: one token is the answer
    exact = []
    for question, answer in zip(task.questions, task.answers, strict=True):
        source = np.array(question[:-1]) if config.kind == "encoder-decoder" else None
        prompt = question if source is None else question[-1:]
        written = generate(
            params, config, prompt, len(answer), stop_token=task.stop_token, source=source
        )
        exact.append(list(written) == answer)
    return np.array(exact)


def accuracy(trained: Checkpoint, task: QuestionTask) -> dict[str, tuple[int, int]]:
    """Group -> how many held-out questions got their exact answer, and of how many."""
    exact, groups = autoregressive(trained.params, task, trained.config), np.array(task.groups)
    parts = {str(name): exact[groups == name] for name in sorted(set(task.groups))}
    return {name: (int(part.sum()), len(part)) for name, part in parts.items()}


def bars(counts: dict[str, tuple[int, int]]) -> str:
    """The result of `accuracy` for people."""
    right, all_ = (sum(column) for column in zip(*counts.values(), strict=True))
    lines = [f"exact answers to unseen questions: {right} of {all_}"]
    width = max(7, *map(len, counts))
    for name, (exact, count) in counts.items():
        lines.append(
            f"  {name:{width}}{exact / count:8.2%} of {count:4} {bar(exact / count)}".rstrip()
        )
    return "\n".join(lines)


def samples(trained: Checkpoint, seed: int) -> str:
    """Texts that the model writes, greedy and with temperature."""
    return "\n".join(
        f"temperature {temperature}: "
        + sample(trained, trained.config.context, temperature, runs.generator(seed, runs.SAMPLE))
        for temperature in (0.0, 0.7)
    )


def sample(trained: Checkpoint, tokens: int, temperature: float, rng: np.random.Generator) -> str:
    """The model's own prompt and up to `tokens` tokens after it."""
    prompt, source = read(trained, trained.prompt)
    ids = generate(
        trained.params, trained.config, prompt, tokens, temperature, rng, trained.stop_token, source
    )
    return continuation(trained.tokenizer, prompt, list(ids), source).rstrip()


def bar(part: float, width: int = 20) -> str:
    """0 to 1 as a bar of text, in eighths of a character."""
    full, rest = divmod(round(part * width * 8), 8)
    return "█" * full + (chr(0x2590 - rest) if rest else "")
