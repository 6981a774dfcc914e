"""The same bits for every array and every model: each position, every intermediate, both samplers.

Each machine is a random model with odd sizes; the checker of `sim` compares every element.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sim import core
from tests.rtl import machines, spent


@dataclass(frozen=True)
class Case:
    name: str
    rows: int
    cols: int
    vocab: int
    model: dict
    quant: dict = field(default_factory=dict)
    verilator: bool = False  # in the default run on Verilator too


RMS = {"norm": "rmsnorm"}
LAYERNORM = {"norm": "layernorm", "bias": True}
LEARNED, ROTARY, SINUS = ({"positions": p} for p in ("learned", "rotary", "sinusoidal"))
RELU, GELU, SILU = ({"activation": a} for a in ("relu", "gelu", "silu"))

QUICK = [
    Case(
        "square", 4, 4, 13, LAYERNORM | LEARNED | GELU | {"context": 11, "d_ff": 26}, verilator=True
    ),
    Case(
        "wide_rotary",
        2,
        8,
        27,
        RMS | ROTARY | GELU | {"d_model": 24, "n_heads": 4, "n_layers": 2, "tied_head": False},
        verilator=True,
    ),
    Case(
        "tall_sinusoidal",
        8,
        4,
        61,
        LAYERNORM | SINUS | RELU | {"d_model": 20, "n_heads": 1, "n_layers": 3, "d_ff": 28},
    ),
    Case("coprime", 3, 5, 13, LAYERNORM | LEARNED | GELU | {"d_model": 14, "context": 7}),
    Case(
        "odd_rotary",
        5,
        3,
        11,
        RMS | ROTARY | RELU | {"d_model": 24, "n_heads": 3, "context": 6, "tied_head": False},
    ),
    Case("thirds", 4, 12, 13, RMS | LEARNED | RELU | {"d_model": 36, "n_heads": 3, "context": 7}),
    Case("odd_heads", 2, 2, 5, RMS | LEARNED | SILU | {"d_model": 15, "n_heads": 3, "context": 6}),
    Case(
        "narrow_numbers",
        4,
        4,
        13,
        RMS | ROTARY | RELU | {"n_layers": 2, "context": 6},
        {"weight_bits": 4, "act_bits": 9, "kv_bits": 5, "prob_bits": 7, "score_frac_bits": 3},
    ),
    Case(
        "wide_numbers",
        4,
        8,
        13,
        LAYERNORM | LEARNED | GELU | {"context": 6, "d_ff": 30},
        {"weight_bits": 8, "act_bits": 16, "kv_bits": 12, "prob_bits": 15, "score_frac_bits": 8},
    ),
]
SLOW = [
    Case(
        "four_layers",
        8,
        16,
        27,
        LAYERNORM | ROTARY | GELU | {"d_model": 32, "n_heads": 8, "n_layers": 4, "context": 21},
    ),
    Case(
        "large",
        8,
        8,
        61,
        RMS | LEARNED | RELU | {"d_model": 128, "n_heads": 2, "d_ff": 200, "context": 40},
    ),
    Case(
        "very_tall",
        16,
        2,
        27,
        RMS | ROTARY | RELU | {"d_model": 40, "n_heads": 5, "n_layers": 2, "context": 35},
    ),
    Case(
        "very_wide",
        2,
        16,
        61,
        LAYERNORM | LEARNED | RELU | {"d_model": 24, "n_heads": 4, "n_layers": 2, "context": 34},
    ),
    Case(
        "larger_than_the_model",
        16,
        16,
        13,
        RMS | SINUS | GELU | {"d_model": 12, "n_heads": 4, "d_ff": 10, "context": 18},
    ),
    Case(
        "two_thirds",
        6,
        4,
        27,
        RMS | LEARNED | GELU | {"d_model": 20, "n_heads": 4, "n_layers": 2, "context": 19},
    ),
    Case(
        "three_quarters",
        6,
        8,
        61,
        LAYERNORM | ROTARY | RELU | {"d_model": 24, "n_heads": 3, "n_layers": 2, "context": 21},
    ),
    Case("tall_and_odd", 5, 2, 13, RMS | ROTARY | SILU | {"d_model": 12, "context": 12}),
    Case("taller_than_64", 66, 2, 13, RMS | LEARNED | RELU | {"context": 5}),
    Case("wider_than_64", 2, 66, 70, RMS | ROTARY | GELU | {"context": 5}),
    Case("minimal", 2, 2, 2, RMS | SINUS | RELU | {"d_model": 4, "n_heads": 4, "d_ff": 4}),
]


def selection() -> list:
    """Quick cases on Icarus, few of them on Verilator, the rest marked slow."""
    chosen = []
    for case in QUICK + SLOW:
        for simulator in ("icarus", "verilator"):
            quick = case in QUICK and (simulator == "icarus" or case.verilator)
            marks = [pytest.mark.rtl] if quick else [pytest.mark.rtl, pytest.mark.slow]
            chosen.append(pytest.param(case, simulator, id=f"{case.name}-{simulator}", marks=marks))
    return chosen


def explain(outcome: core.Outcome) -> str:
    """What an assertion shows."""
    lines = [f"seed {outcome.seed}, {outcome.mismatch_count} mismatches, {outcome.problem}"]
    return "\n".join([*lines, *map(str, outcome.mismatches[:10])])


@pytest.mark.parametrize(("case", "simulator"), selection())
def test_every_element_of_every_position(case: Case, simulator: str, sim_build: Path) -> None:
    folder = sim_build / "core" / f"{case.name}-{simulator}"
    settings = machines.config(case.name, case.model, case.rows, case.cols, case.quant)
    machine = machines.machine(settings, case.vocab, folder)
    requests = machines.everything(machine.qm)
    outcome = core.simulate(machine, requests, simulator=simulator, out=folder / "sim")
    assert outcome.passed, explain(outcome)
    context = machine.qm.config["context"]
    assert outcome.checker.started == outcome.checker.tokens == 3 * context
    assert [len(answer.tokens) for answer in outcome.answers] == [context - 2, context, 1]
    run = folder / "sim" / "run"
    assert spent.measured(run) == spent.predicted(settings, case.vocab, outcome)
