"""Every admitted number format gives the same bits in Verilog: random widths per tensor and layer.

Each machine is a small model whose formats are drawn from all that the config admits, extremes more
often than the rest; the checker of `sim` compares every element of every position.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from configs import widths
from configs.schema import Config, ModelConfig
from sim import core
from tests.rtl import machines
from tests.rtl.test_core_shapes import explain

SEED = int(os.environ.get("COCOTB_RANDOM_SEED", "20241"))
VOCAB = 11
CASES, ON_VERILATOR, ON_ICARUS = 16, 6, 2  # drawn in all; of them in the default run


def within(rng: random.Random, case: int, low: int, high: int) -> int:
    """A width, one of the ends every other time; in the first two cases always the same end."""
    drawn = rng.choice((low, high, rng.randint(low, high), rng.randint(low, high)))
    return {0: low, 1: high}.get(case, drawn)


def draw(case: int) -> Config:
    """A model, an array, and formats: of classes, of layers, of single tensors and stages."""
    rng = random.Random(f"{SEED} {case}")
    model = {
        "activation": rng.choice(("relu", "gelu", "gelu_exact", "silu")),
        "positions": rng.choice(("learned", "rotary")),
        "norm": rng.choice(("layernorm", "rmsnorm")),
        "bias": rng.random() < 0.5,
        "n_layers": 2,
        "d_model": 12,
        "n_heads": 2,
        "d_ff": 20,
        "context": 5,
    }
    names, bits = widths.names(ModelConfig(**model)), {}
    for pattern in rng.sample([f"layers.{rng.randrange(2)}.*.weight", "*.weight", "*.v"], 2):
        bits[pattern] = within(rng, case, 4, 8)
    for name in rng.sample([n for n in names if not n.endswith(".ffn_hidden")], 6):
        _, low, high = widths.kind(name)
        bits[name] = within(rng, case, low, high)
    bits["layers.*.ffn_hidden"] = within(rng, case, 8, 16)  # one for all: gelu has one table
    quant = {
        "weight_bits": within(rng, case, 2, 8),
        "act_bits": within(rng, case, 8, 16),
        "kv_bits": within(rng, case, 4, 16),
        "residual_bits": within(rng, case, 12, 16),
        "prob_bits": within(rng, case, 6, 15),
        "score_frac_bits": within(rng, case, 2, 8),
        "rsqrt_bits": within(rng, case, 4, 8),
        "recip_bits": within(rng, case, 4, 8),
        "bump_bits": within(rng, case, 4, 10),
        "bits": bits,
    }
    rows, cols = rng.choice(((2, 4), (4, 4), (4, 2)))
    return machines.config(f"formats-{case}", model, rows, cols, quant)


def selection() -> list:
    """The first cases on Verilator, the next on Icarus, everything else marked slow."""
    chosen = []
    for simulator, first, count in (("verilator", 0, ON_VERILATOR), ("icarus", 6, ON_ICARUS)):
        for case in range(CASES):
            quick = first <= case < first + count
            marks = [pytest.mark.rtl] if quick else [pytest.mark.rtl, pytest.mark.slow]
            chosen.append(pytest.param(case, simulator, id=f"{case}-{simulator}", marks=marks))
    return chosen


@pytest.mark.parametrize(("case", "simulator"), selection())
def test_every_format(case: int, simulator: str, sim_build: Path) -> None:
    settings = draw(case)
    print(f"COCOTB_RANDOM_SEED={SEED} case {case}: {settings.model_dump()}")
    folder = sim_build / "core" / f"{settings.name}-{simulator}"
    machine = machines.machine(settings, VOCAB, folder, seed=SEED + case)
    requests = machines.everything(machine.qm)
    outcome = core.simulate(machine, requests, simulator=simulator, out=folder / "sim")
    assert outcome.passed, explain(outcome)
    assert outcome.checker.tokens == 3 * machine.qm.config["context"]


def test_ends_of_all_ranges_are_drawn() -> None:
    """What the default run covers: both ends of every range, and mixed layers."""
    quants = [draw(case).quant for case in range(CASES)]
    for name, ends in {
        "weight_bits": (2, 8),
        "residual_bits": (12, 16),
        "kv_bits": (4, 16),
    }.items():
        assert {getattr(quant, name) for quant in quants} >= set(ends)
    mixed = [len({widths.width(q, f"layers.{i}.up.weight") for i in range(2)}) for q in quants]
    assert 2 in mixed
