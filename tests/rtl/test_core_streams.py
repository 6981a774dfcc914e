"""Several streams on one array: each has the bits that it would have alone, whatever the others do.

The checker of `sim` compares all intermediates of every token with the golden model of its own
stream, and each answer with the golden model's, which knows of no other stream.
"""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from quant.golden import GoldenModel
from sim import core
from sim.requests import FULL, LIMIT, STOP, TOO_LONG, UNKNOWN, Request, Reset
from tests.rtl import machines, spent
from tests.rtl.test_core_shapes import QUICK, SLOW, Case, explain

pytestmark = pytest.mark.rtl

VOCAB, CONTEXT, STREAMS = 13, 10, 4
LAST_REQUESTS = 24  # of a round, before a reset


def cases() -> list:
    """Shape, streams, simulator; the quick ones on Icarus, two of them on Verilator."""
    shapes = {case.name: case for case in QUICK + SLOW}
    quick = [("square", 2), ("thirds", 3), ("narrow_numbers", 4), ("odd_heads", 8)]
    slow = [("wide_rotary", 8), ("tall_sinusoidal", 4), ("four_layers", 3), ("very_tall", 2)]
    slow += [("very_wide", 8), ("larger_than_the_model", 5), ("minimal", 8)]
    slow += [("coprime", 3), ("odd_rotary", 5)]
    chosen = []
    for name, streams in quick + slow:
        for simulator in ("icarus", "verilator"):
            fast = (name, streams) in quick and (simulator == "icarus" or name == "narrow_numbers")
            marks = [] if fast else [pytest.mark.slow]
            values = (shapes[name], streams, simulator)
            chosen.append(pytest.param(*values, id=f"{name}-{streams}-{simulator}", marks=marks))
    return chosen


def together(machine: core.Machine, count: int) -> list[Request]:
    """On each stream `count` requests: prompts of every length, greedy and warm."""
    context, vocab = machine.qm.config["context"], machine.qm.vocab_size
    warm, result = machine.qm.temperature_register(0.9), []
    for number in range(count * machine.streams):
        turn, stream = divmod(number, machine.streams)
        length = 1 + (3 * stream + 2 * turn) % context
        prompt = tuple((7 * index + 3 + stream) % vocab for index in range(length))
        result.append(
            Request(
                prompt,
                max_tokens=1 + (stream + turn) % 3,
                temperature=warm * (number % 3 != 0),
                seed=number,
                stream=stream,
            )
        )
    return result


@pytest.mark.parametrize(("case", "streams", "simulator"), cases())
def test_every_element_of_every_stream(
    case: Case, streams: int, simulator: str, sim_build: Path
) -> None:
    folder = sim_build / "core" / f"streams-{case.name}-{streams}-{simulator}"
    settings = machines.config(case.name, case.model, case.rows, case.cols, case.quant, streams)
    machine = machines.machine(settings, case.vocab, folder)
    requests = together(machine, 2 if streams < 8 else 1)
    outcome = core.simulate(machine, requests, simulator=simulator, out=folder / "sim")
    assert outcome.passed, explain(outcome)
    assert outcome.checker.started == outcome.checker.tokens
    for request, answer in zip(requests, outcome.answers, strict=True):
        assert answer.tokens == alone(machine, request)
    run = folder / "sim" / "run"
    starts, samples, counters = spent.predicted_streams(settings, case.vocab, outcome)
    assert spent.measured_streams(run) == (starts, samples)
    assert outcome.counters is not None
    assert counters == {name: outcome.counters[name] for name in counters}


def test_streams_take_turns_in_the_noise(sim_build: Path) -> None:
    """Noise takes longer than a token, so all wait for it, again and again."""
    folder = sim_build / "core" / "streams-noise"
    model = {"d_model": 8, "d_ff": 8}
    settings, vocab = machines.config("noise", model, 8, 8, None, STREAMS), 150
    machine = machines.machine(settings, vocab, folder)
    warm = machine.qm.temperature_register(0.9)
    requests = [
        Request((stream,), max_tokens=5, temperature=warm, seed=stream, stream=stream)
        for stream in range(STREAMS)
    ]
    outcome = core.simulate(machine, requests, simulator="icarus", out=folder / "sim")
    assert outcome.passed, explain(outcome)
    starts, samples, _ = spent.predicted_streams(settings, vocab, outcome)
    assert spent.measured_streams(folder / "sim" / "run") == (starts, samples)
    turns = [stream for _, stream in samples]
    assert all(len(set(turns[n : n + STREAMS])) == STREAMS for n in range(0, len(turns), STREAMS))


def alone(machine: core.Machine, request: Request) -> list[int]:
    """What the golden model's own loop generates."""
    return GoldenModel(machine.qm).generate(
        list(request.prompt),
        request.max_tokens,
        request.temperature,
        request.seed,
        request.stop,
    )


# ---- anything at any time
def small(folder: Path) -> core.Machine:
    """One machine for the random requests."""
    model = {"norm": "layernorm", "bias": True, "activation": "gelu", "context": CONTEXT}
    return machines.machine(
        machines.config("streams", model, 4, 4, None, STREAMS), VOCAB, folder, seed=5
    )


def draw(rng: random.Random, stream: int) -> Request:
    """A request of any kind: right, too long, unknown tokens; any manners of the host."""
    length = rng.choice((1, 2, 3, rng.randint(1, CONTEXT), rng.randint(1, CONTEXT + 3)))
    prompt = [rng.randrange(VOCAB) for _ in range(length)]
    if rng.random() < 0.08:
        prompt[rng.randrange(length)] = rng.choice((VOCAB, 0xFFFF))
    return Request(
        tuple(prompt),
        max_tokens=rng.choice((0, 1, 1, 2, 3)),
        temperature=rng.choice((0, 0, 4096, 30000, 0xFFFF)),
        seed=rng.getrandbits(32),
        stop=rng.choice((None, None, rng.randrange(VOCAB))),
        idle=rng.choice((0.0, 0.0, 0.3, 1.0)),
        stall=rng.choice((0.0, 0.0, 0.5, 0.9)),
        hold=rng.choice((0, 0, 0, 100, 2000)),
        stream=stream,
    )


def draw_all(rng: random.Random, count: int) -> list[Request]:
    """`count` requests on all streams; now and then all are cut by a reset."""
    result: list[Request] = []
    while len(result) < count:
        result += [draw(rng, rng.randrange(STREAMS)) for _ in range(rng.randint(1, LAST_REQUESTS))]
        for stream in range(STREAMS):
            request = draw(rng, stream)
            moment = Reset(rng.randint(0, len(request.prompt)), 0, rng.randint(0, 1500))
            result.append(replace(request, reset=moment))
    return result


@pytest.mark.parametrize("count", [100, pytest.param(1200, marks=pytest.mark.slow)])
def test_random_requests_do_not_disturb_each_other(count: int, sim_build: Path) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"requests of seed {seed}")
    folder = sim_build / "core" / f"streams-random-{count}"
    machine = small(folder)
    requests = draw_all(random.Random(seed), count)
    outcome = core.simulate(
        machine,
        requests,
        simulator="verilator",
        out=folder,
        build=sim_build / "core" / "streams-build",
    )
    assert outcome.passed, f"requests of seed {seed}\n{explain(outcome)}"
    assert len(requests) >= count
    endings = {answer.status for answer in outcome.answers if answer.status is not None}
    seen = {bit for bit in (STOP, LIMIT, FULL, UNKNOWN, TOO_LONG) if any(e & bit for e in endings)}
    assert {LIMIT, FULL, UNKNOWN, TOO_LONG} <= seen
    assert outcome.checker.cut


# ---- the comparison must fail
FAULTS = {
    "a bit of an operand": (
        "op_lanes, op_data}),",
        "op_lanes, op_data ^ {{{0}'d0, ctx_stream[op_ctx]"
        " && !u_vector_unit.u_operand_port.embed_valid_q, 10'd0}}}}),",
        1,
    ),
    "probabilities in another context": (
        "assign array_prob_word = {prob_ctx, prob_word};",
        "assign array_prob_word = {{prob_ctx && !ctx_stream[prob_ctx], prob_word}};",
        None,
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_one_stream_is_located(fault: str, sim_build: Path, tmp_path: Path) -> None:
    case = QUICK[0]
    settings = machines.config(case.name, case.model, case.rows, case.cols, case.quant, 2)
    machine = machines.machine(settings, case.vocab, tmp_path)
    old, new, stream = FAULTS[fault]
    width = machine.manifest["parameters"]["Cols"] * machine.manifest["parameters"]["ActW"] - 11
    machines.edit(machine.rtl / "core.sv", old, new.format(width))
    outcome = core.simulate(
        machine,
        together(machine, 2),
        simulator="icarus",
        out=tmp_path / "out",
        build=sim_build / "core" / "streams-negative",
    )
    assert not outcome.passed
    first = outcome.mismatches[0]
    assert first.stream is not None
    assert f"stream {first.stream} " in str(first)
    if stream is not None:
        assert first.stream == stream
        assert first.stage == "layers.0.attn_scores"
