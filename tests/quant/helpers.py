"""Small configs and models for the tests of quant/."""

from __future__ import annotations

import itertools

import numpy as np

from configs.schema import Config, parse
from model import checkpoint, tasks, transformer
from quant.golden import Trace
from quant.random import random_params

BASE = {"d_model": 12, "n_heads": 3, "n_layers": 2, "d_ff": 20, "context": 9, "bias": True}
OPTIONS = {
    "norm": ("layernorm", "rmsnorm"),
    "activation": ("relu", "gelu"),
    "positions": ("learned", "sinusoidal", "rotary"),
    "tied_head": (True, False),
    "bias": (True, False),
}
ALL_KINDS = [
    dict(zip(OPTIONS, values, strict=True)) for values in itertools.product(*OPTIONS.values())
]
MORE_KINDS = [  # fewer heads of keys and values than of queries, and activations by a table
    {"n_heads": 6, "n_kv_heads": 2, "positions": "rotary"},
    {"n_heads": 6, "n_kv_heads": 3, "norm": "layernorm", "activation": "gelu"},
    {"n_kv_heads": 1, "positions": "sinusoidal", "bias": False},
    {"activation": "gelu_exact", "positions": "rotary", "n_heads": 6},
    {"activation": "silu", "norm": "layernorm"},
    {"activation": "swiglu", "tied_head": False},
    {"activation": "swiglu", "n_heads": 6, "n_kv_heads": 2, "positions": "rotary", "bias": False},
]


def small(quant: dict | None = None, **model: object) -> Config:
    """A config of a model small enough for plain Python; only decoders learn texts."""
    data = {} if model.get("kind", "decoder") == "decoder" else {"task": "digits"}
    return parse("small", {"model": BASE | model, "quant": quant or {}, "data": data})


def kind_name(kind: dict) -> str:
    """A test id of some options."""
    words = []
    for name, value in kind.items():
        if isinstance(value, str):
            words.append(value)
        elif value:
            words.append(name if value is True else f"{name}{value}")
    return "-".join(words)


def first_difference(want: dict, got: Trace) -> str | None:
    """None when two traces of a step are equal in every element; else what differs first."""
    if set(want) != set(got):
        return f"stages {sorted(set(want) ^ set(got))}"
    for name in want:
        a, b = np.array(want[name]), np.asarray(got[name])
        if b.dtype.kind != "i":
            return f"{name}: {b.dtype} is no integer type"
        if a.shape != b.shape:
            return f"{name}: shape {a.shape} and {b.shape}"
        if (a != b).any():
            where = np.argwhere(np.atleast_1d(a != b))[0]
            index = tuple(int(i) for i in where)
            return f"{name}{list(index)}: {np.atleast_1d(a)[index]} and {np.atleast_1d(b)[index]}"
    return None


def save_random(config: Config) -> None:
    """A model of random, lively weights in the config's build folder, as if it were trained."""
    task = tasks.load(config)
    size = len(task.tokenizer.vocab)
    params = transformer.empty(config.model, size)
    params.flat[...] = random_params(config, 1, size).flat
    saved = checkpoint.Checkpoint(
        config.model, size, params, task.tokenizer, task.stop_token, "Once", 1, 3.0
    )
    checkpoint.save(config.build_dir / "model", saved)
