"""Requests one after another: limits, bad input, back-pressure, pauses and resets change no bit.

All requests of a test share one simulation; the checker compares every token of every request, so
"the second is right" means right in every intermediate, and with the right status.
"""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from quant.golden import GoldenModel
from sim import core
from sim.requests import FULL, LIMIT, STOP, TOO_LONG, UNKNOWN, GoldenRun, Request, Reset
from tests.rtl import machines
from tests.rtl.test_core_shapes import explain

VOCAB, CONTEXT = 13, 10
BASE = Request((3, 7, 1), max_tokens=4)
pytestmark = pytest.mark.rtl
SIMULATORS = pytest.mark.parametrize("simulator", ["icarus", "verilator"])


def small(folder: Path) -> core.Machine:
    """One machine for all tests here, so that each simulator builds it once."""
    model = {"norm": "layernorm", "bias": True, "activation": "gelu", "context": CONTEXT}
    return machines.machine(machines.config("protocol", model, 4, 4), VOCAB, folder)


def play(sim_build: Path, simulator: str, name: str, requests: list[Request]) -> core.Outcome:
    """Simulate, and expect that every bit is right."""
    folder = sim_build / "core" / f"protocol-{name}-{simulator}"
    outcome = core.simulate(
        small(folder),
        requests,
        simulator=simulator,
        out=folder,
        build=sim_build / "core" / "protocol-build",
    )
    assert outcome.passed, explain(outcome)
    assert len(outcome.answers) == len(requests)
    return outcome


def alone(machine: core.Machine, request: Request) -> list[int]:
    """What the golden model's own loop generates."""
    return GoldenModel(machine.qm).generate(
        list(request.prompt),
        request.max_tokens or CONTEXT,
        request.temperature,
        request.seed,
        request.stop,
    )


@SIMULATORS
def test_requests_in_a_row(simulator: str, sim_build: Path, tmp_path: Path) -> None:
    machine = small(tmp_path)
    tokens = alone(machine, BASE)
    warm = replace(BASE, temperature=machine.qm.temperature_register(1.5), seed=5)
    words = tuple(index % VOCAB for index in range(CONTEXT + 3))
    wanted = [
        (BASE, LIMIT, 4),
        (Request((2,), max_tokens=1), LIMIT, 1),
        (replace(BASE, stop=tokens[1]), None, tokens.index(tokens[1]) + 1),
        (Request((3, VOCAB, 1), max_tokens=4), UNKNOWN, 0),
        (BASE, LIMIT, 4),
        (Request((0xFFFF,)), UNKNOWN, 0),
        (Request((3, 4, VOCAB)), UNKNOWN, 0),
        (Request(words), TOO_LONG, 0),
        (Request((*words[:CONTEXT], VOCAB)), TOO_LONG | UNKNOWN, 0),
        (Request(words[:CONTEXT]), FULL, 1),
        (replace(BASE, max_tokens=0), FULL, CONTEXT - 2),
        (replace(BASE, max_tokens=CONTEXT - 2), FULL | LIMIT, CONTEXT - 2),
        (warm, LIMIT, 4),
        (replace(warm, seed=6), LIMIT, 4),
        (warm, LIMIT, 4),
        (replace(warm, temperature=0xFFFF, max_tokens=0), FULL, CONTEXT - 2),
        (BASE, LIMIT, 4),
    ]
    outcome = play(sim_build, simulator, "row", [request for request, _, _ in wanted])
    for answer, (request, status, count) in zip(outcome.answers, wanted, strict=True):
        assert len(answer.tokens) == count
        assert status in (None, answer.status)
        if count:
            assert answer.tokens == alone(machine, request)
    assert outcome.answers[2].status in (STOP, STOP | LIMIT)


@SIMULATORS
def test_pauses_and_back_pressure_change_nothing(simulator: str, sim_build: Path) -> None:
    requests = [
        replace(BASE, stall=0.8),
        replace(BASE, stall=0.3, idle=0.5),
        replace(BASE, idle=1.0),
        replace(BASE, hold=3000),
        replace(BASE, max_tokens=0, hold=900, idle=0.7),
        Request((3, VOCAB, 1), hold=50),
        BASE,
    ]
    outcome = play(sim_build, simulator, "streams", requests)
    first, *others = [answer.tokens[:4] for answer in outcome.answers]
    assert others == [first, first, first, first, [], first]


@SIMULATORS
def test_reset_at_any_moment(simulator: str, sim_build: Path) -> None:
    rng = random.Random(99)
    moments = [Reset(1, 0, 0), Reset(2, 0, 1), Reset(3, 0, 2), Reset(3, 4, 0), Reset(3, 1, 0)]
    moments += [Reset(rng.randint(1, 3), 0, rng.randint(0, 300)) for _ in range(6)]
    moments += [Reset(3, rng.randint(1, 3), rng.randint(0, 300)) for _ in range(6)]
    warm = replace(BASE, temperature=30000, seed=8)
    requests = []
    for number, moment in enumerate(moments):
        requests.append(replace(warm if number % 2 else BASE, reset=moment))
        requests.append(replace(BASE if number % 3 else warm, max_tokens=2))
    outcome = play(sim_build, simulator, "reset", requests)
    assert [answer.reset for answer in outcome.answers] == [True, False] * len(moments)
    assert outcome.checker.cut


def test_golden_run_is_the_golden_models_own_loop(tmp_path: Path) -> None:
    machine = small(tmp_path)
    model = GoldenModel(machine.qm)
    for request in [*machines.everything(machine.qm), BASE, replace(BASE, stop=3, max_tokens=0)]:
        run, traces = GoldenRun(model, request), []
        steps = list(run.steps())
        limit = request.max_tokens or CONTEXT
        words = model.generate(
            list(request.prompt), limit, request.temperature, request.seed, request.stop, traces
        )
        assert run.tokens == words
        assert len(steps) == len(traces)
