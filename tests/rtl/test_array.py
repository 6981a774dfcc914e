"""The rendered array: integer matrix products with the model's weights and with the KV cache."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from export import render, spec
from quant.qmodel import Linear, QuantModel
from quant.random import random_model
from sim import runner
from tests.rtl.machines import config
from tests.rtl.modules import CORRUPTED

pytestmark = pytest.mark.rtl

SHAPES = ((4, 8), (4, 4), (8, 4), (2, 6), (6, 2), (8, 2), (2, 8), (3, 5))  # rows, cols
VOCAB = 13
LAYER = {"q": "q", "k": "k", "v": "v", "attn_residual": "o", "ffn_hidden": "up"}
LAYER |= {"ffn_residual": "down"}


def linear(qm: QuantModel, stage: str) -> Linear:
    """The weights that a step of the program multiplies with."""
    if stage == "logits":
        return qm.head
    _, layer, name = stage.split(".")
    return getattr(qm.layers[int(layer)], LAYER[name])


def matrix(qm: QuantModel, step: dict, cols: int, size: int) -> list[list[int]]:
    """[output lane, operand element], zero where a tile or a wave is only padding."""
    weight = linear(qm, step["stage"]).weight
    padded = np.zeros((len(step["elements"]), size), np.int64)
    for lane, channel in enumerate(step["elements"]):
        if channel >= 0:
            padded[lane, : weight.shape[1]] = weight[channel]
    assert len(padded) % cols == 0
    return padded.tolist()


def describe(qm: QuantModel, machine: spec.Spec, folder: Path) -> None:
    """array.json for the bench: where the program has its matrices, and what they are."""
    p = machine.params
    trace = json.loads((folder / "manifest.json").read_text())["trace"]["steps"]
    steps = []
    for entry, step in zip(trace, machine.builder.steps, strict=True):
        if step.kv:
            continue
        waves = step.inner + 1
        numbers = {"addr": step.addr, "waves": waves, "tiles": step.outer + 1}
        steps.append({**numbers, "matrix": matrix(qm, entry, p["Cols"], waves * p["Rows"])})
    (folder / "array.json").write_text(json.dumps({"parameters": p, "steps": steps}))


def simulate(simulator: str, shape: tuple[int, int], build: Path, **env: str) -> None:
    """Render for rows x cols, and compare with sim/tb_array.py."""
    rows, cols = shape
    qm = random_model(config("array", {"n_layers": 2}, rows, cols), rows * 100 + cols, VOCAB)
    machine = spec.build(qm, rows, cols)
    folder = build / "array" / "-".join([f"{rows}x{cols}", simulator, *env])
    render.render(machine, folder / "rtl", "array", "random")
    describe(qm, machine, folder / "rtl")
    names = (folder / "rtl" / "files.f").read_text().split()
    runner.run(
        "array",
        [folder / "rtl" / name for name in names if name != "core.sv"],
        "sim.tb_array",
        simulator=simulator,
        build_dir=folder,
        test_dir=folder / "rtl",
        env=env,
    )


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape[0]}x{shape[1]}")
def test_array(shape: tuple[int, int], sim_build: Path) -> None:
    simulate("icarus", shape, sim_build)


def test_array_on_verilator(sim_build: Path) -> None:
    simulate("verilator", SHAPES[0], sim_build)


def test_array_checker_fails(sim_build: Path) -> None:
    with pytest.raises(runner.SimulationError, match="1 mismatches"):
        simulate("icarus", SHAPES[0], sim_build, CORRUPT=str(CORRUPTED))
