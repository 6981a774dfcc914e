"""Small configs and corpora, and numeric gradients."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from configs import schema

MODEL = {
    "d_model": 8,
    "n_heads": 2,
    "n_layers": 1,
    "d_ff": 12,
    "context": 12,
    "tied_head": False,
    "bias": True,
}
TRAIN = {"steps": 30, "batch_size": 4, "warmup_steps": 3, "eval_every": 10, "learning_rate": 1e-2}


def corpus(path: Path, stories: int = 40) -> Path:
    """A file of short made-up stories, one a line."""
    rng = np.random.default_rng(5)
    words = ["the cat", "a dog", "sat", "ran home", "saw", "the moon", "and then"]
    lines = [" ".join(rng.choice(words, 30)) + "." for _ in range(stories)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def text_config(text: Path, **train: object) -> schema.Config:
    """A text config that trains in a fraction of a second."""
    data = {"task": "text", "text": str(text), "prompt": "the cat"}
    return schema.parse("small", {"model": MODEL, "data": data, "train": TRAIN | train})


def digits_config(**train: object) -> schema.Config:
    data = {"task": "digits", "tokenizer": "word", "prompt": "Max ( 5 3 9 ) ->"}
    return schema.parse("digits", {"model": MODEL, "data": data, "train": TRAIN | train})


def question_config(
    kind: str = "decoder", data: dict | None = None, **train: object
) -> schema.Config:
    """A config of questions, 400 at most, for a model of any kind that trains in a moment."""
    model = MODEL | {"kind": kind, "context": 32}
    return schema.parse(
        "asked",
        {
            "model": model,
            "data": {"task": "digits", "examples": 400} | (data or {}),
            "train": TRAIN | train,
        },
    )


def slope(function: Callable[[], float], array: np.ndarray, direction: np.ndarray) -> float:
    """Derivative of `function` when `array` (changed in place, then restored) moves.

    Central differences of fourth order, in float64.
    """
    old, step = array.copy(), 1e-4
    values = []
    for factor in (-2, -1, 1, 2):
        array[...] = old + factor * step * direction
        values.append(function())
    array[...] = old
    return (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * step)


def gradient_error(
    function: Callable[[], float], array: np.ndarray, gradient: np.ndarray, rng: np.random.Generator
) -> float:
    """Relative error of `gradient` along a random unit direction."""
    direction = rng.normal(size=array.shape)
    direction /= np.linalg.norm(direction)
    expected = slope(function, array, direction)
    got = float(np.sum(gradient * direction))
    return abs(got - expected) / max(abs(got), abs(expected), 1e-3)
