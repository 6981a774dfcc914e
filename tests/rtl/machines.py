"""Machines for the tests of the whole core: random models, rendered for any array."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

from configs.schema import Config, HardwareConfig, ModelConfig, QuantConfig
from export import render, spec
from quant.qmodel import Linear, QuantModel
from quant.random import random_model
from sim import core
from sim.requests import Request

SEED = 20240


def config(
    name: str, model: dict, rows: int, cols: int, quant: dict | None = None, streams: int = 1
) -> Config:
    """A config of small defaults."""
    base = {"d_model": 16, "n_heads": 2, "n_layers": 1, "d_ff": 24, "context": 10}
    return Config(
        name=name,
        model=ModelConfig(**base | model),
        quant=QuantConfig(**quant or {}),
        hardware=HardwareConfig(rows=rows, cols=cols, streams=streams),
    )


def machine(settings: Config, vocab: int, folder: Path, seed: int = SEED) -> core.Machine:
    """Quantise a random model of `settings` and render it into `folder`/rtl."""
    qm = random_model(settings, seed, vocab)
    hardware = settings.hardware
    built = spec.build(qm, hardware.rows, hardware.cols, hardware.streams)
    render.render(built, folder / "rtl", settings.name, f"random seed {seed}")
    return opened(folder, qm)


def opened(folder: Path, qm: QuantModel) -> core.Machine:
    return core.Machine(
        folder / "rtl", json.loads((folder / "rtl" / "manifest.json").read_text()), qm
    )


def copied(machine: core.Machine, folder: Path) -> core.Machine:
    """The same machine in files that a test may damage."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(machine.rtl, folder / "rtl")
    return opened(folder, machine.qm)


def edit(path: Path, old: str, new: str) -> None:
    """Replace `old`, which must be there exactly once."""
    text = path.read_text()
    assert text.count(old) == 1, f"{path.name} has {text.count(old)} times {old!r}"
    path.write_text(text.replace(old, new))


def flip(path: Path, word: int, bit: int) -> None:
    """Invert one bit of one word of a memory image."""
    lines = path.read_text().split("\n")
    value = int(lines[word], 16) ^ (1 << bit)
    lines[word] = f"{value:0{len(lines[word])}x}"
    path.write_text("\n".join(lines))


def with_weight(linear: Linear, out: int, index: int, change: int) -> Linear:
    """`linear` with one weight changed."""
    weight = linear.weight.copy()
    weight[out, index] += change if weight[out, index] + change <= 127 else -change
    return replace(linear, weight=weight)


def everything(qm: QuantModel) -> list[Request]:
    """Every position of the context, greedy and warm, and a prompt that fills the context."""
    context, vocab = qm.config["context"], qm.vocab_size
    words = tuple((7 * index + 3) % vocab for index in range(context))
    warm = qm.temperature_register(0.9)
    return [
        Request(words[:3]),
        Request(words[:1], temperature=warm, seed=11),
        Request(words, temperature=warm, seed=12),
    ]
