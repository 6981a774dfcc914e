"""Any array gives the same bits: random sides with random models, and the cycles of the model.

The checker of `sim` compares every element of every position.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from configs.schema import Config
from sim import core
from tests.rtl import machines, spent
from tests.rtl.test_core_shapes import explain

SEED = int(os.environ.get("COCOTB_RANDOM_SEED", "20242"))
CASES = 12
SMALL, LARGE = 7, 18  # longest sides in the default run, and in the slow one


def draw(case: int, side: int) -> tuple[Config, int]:
    """An array of any sides, a model of any shape; and a vocabulary."""
    rng = random.Random(f"{SEED} {case} {side}")
    rotary, heads = rng.random() < 0.5, rng.randint(1, 3)
    model = {
        "activation": rng.choice(("relu", "gelu", "silu")),
        "positions": "rotary" if rotary else "learned",
        "norm": rng.choice(("layernorm", "rmsnorm")),
        "n_layers": rng.randint(1, 2),
        "d_model": heads * (rng.randint(2, 5) * 2 if rotary else rng.randint(4, 11)),
        "n_heads": heads,
        "d_ff": rng.randint(4, 30),
        "context": rng.randint(4, 7),
    }
    rows, cols = rng.randint(2, side), rng.randint(2, side)
    return machines.config(f"any-{case}-{side}", model, rows, cols), rng.randint(2, 40)


def selection() -> list:
    """Small arrays on Icarus, one of them by default; larger ones on Verilator."""
    chosen = []
    for simulator, side, quick in (("icarus", SMALL, 1), ("verilator", LARGE, 0)):
        for case in range(CASES):
            marks = [pytest.mark.rtl] if case < quick else [pytest.mark.rtl, pytest.mark.slow]
            chosen.append(pytest.param(case, side, simulator, marks=marks))
    return chosen


@pytest.mark.parametrize(("case", "side", "simulator"), selection())
def test_any_array(case: int, side: int, simulator: str, sim_build: Path) -> None:
    settings, vocab = draw(case, side)
    print(f"COCOTB_RANDOM_SEED={SEED} case {case}: {vocab} tokens, {settings.model_dump()}")
    folder = sim_build / "core" / f"{settings.name}-{simulator}"
    machine = machines.machine(settings, vocab, folder, seed=SEED + case)
    outcome = core.simulate(
        machine, machines.everything(machine.qm), simulator=simulator, out=folder / "sim"
    )
    assert outcome.passed, explain(outcome)
    assert outcome.checker.tokens == 3 * machine.qm.config["context"]
    run = folder / "sim" / "run"
    assert spent.measured(run) == spent.predicted(settings, vocab, outcome)


def test_sides_of_all_kinds_are_drawn() -> None:
    shapes = [draw(case, SMALL)[0] for case in range(CASES)]
    pairs = [(one.hardware.rows, one.hardware.cols) for one in shapes]
    assert any(rows % cols and cols % rows for rows, cols in pairs)
    assert any(one.model.positions == "rotary" and one.hardware.cols % 2 for one in shapes)
