"""The model of several streams without a simulator: everything is answered, in order, on time.

That it equals the Verilog is tested where the Verilog runs: tests/rtl/test_core_streams.py.
"""

from __future__ import annotations

from itertools import pairwise

import pytest

from export import cycles, interleave, program
from export import latency as lat
from export.blank import blank
from export.geometry import Geometry
from export.interleave import Request, Result
from export.stages import STAGES
from tests.export import helpers


def run(name: str, asked: list[list[Request]]) -> tuple[Geometry, Result]:
    case = helpers.CASES[name]
    qm = blank(case.config(), case.vocab)
    g = Geometry.of(qm, case.rows, case.cols, len(asked))
    return g, interleave.run(qm, g, program.build(qm, g).steps, asked)


@pytest.mark.parametrize("name", ["gelu-4x4", "rotary-8x4", "rotary-2x16", "odd-3x9"])
@pytest.mark.parametrize("streams", [2, 5, 8])
def test_every_token_of_every_stream(name: str, streams: int) -> None:
    asked = [
        [Request(1 + n % 3, 2, n % 2 == 0), Request(2, 1 + n % 2, True)] for n in range(streams)
    ]
    _, result = run(name, asked)
    for number, requests in enumerate(asked):
        mine = [start for start in result.starts if start.stream == number]
        lengths = [one.prompt + one.answer - 1 for one in requests]
        assert [start.position for start in mine] == [*range(lengths[0]), *range(lengths[1])]
        assert sum(stream == number for _, stream in result.samples) == sum(
            one.answer for one in requests
        )
    assert [start.cycle for start in result.starts] == sorted({s.cycle for s in result.starts})
    assert result.samples == sorted(result.samples)
    total = result.samples[-1][0] + 1 - result.starts[0].cycle
    assert sum(result.stages.values()) == total
    assert sum(result.causes.values()) == total
    assert set(result.stages) <= set(STAGES)
    assert min(result.latencies()) > 0


def test_a_context_holds_one_token_at_a_time() -> None:
    """Of a stream that only writes: its next token begins after the last one was sampled."""
    _, result = run("gelu-4x4", [[Request(1, 8, True)] for _ in range(4)])
    for number in range(4):
        begun = [start.cycle for start in result.starts if start.stream == number]
        sampled = [cycle for cycle, stream in result.samples if stream == number]
        assert all(a < b for a, b in zip(begun, sampled, strict=True))
        assert all(a < b for a, b in zip(sampled, begun[1:], strict=False))


def test_more_streams_use_the_array_better() -> None:
    rates = []
    for streams in (1, 2, 4, 8):
        case = helpers.CASES["gelu-4x4"]
        qm = blank(case.config(), case.vocab)
        if streams == 1:
            rates.append(cycles.single(cycles.machine(qm, case.rows, case.cols)).mean())
            continue
        g = Geometry.of(qm, case.rows, case.cols, streams)
        result = cycles.interleaved(qm, g)
        rates.append(result.cycles_per_token())
        assert result.floor(g) < result.cycles_per_token()
    assert rates == sorted(rates, reverse=True)


def test_no_stream_starves_for_noise() -> None:
    """A large vocabulary on a large array: drawing noise takes longer than the rest of a token."""
    case = helpers.case("8x16", "16 4 1 64 64", vocab=300)
    qm = blank(case.config(), case.vocab)
    g = Geometry.of(qm, case.rows, case.cols, 8)
    result = interleave.run(qm, g, program.build(qm, g).steps, [[Request(1, 20, True)]] * 8)
    drawing = g.vocab + lat.DRAW
    for number in range(8):
        mine = [cycle for cycle, stream in result.samples if stream == number]
        assert max(b - a for a, b in pairwise([0, *mine])) < (8 + 1) * drawing
    total = sum(result.stages.values())
    assert result.stages["sampling"] > total / 2  # and the split says what is waited for


def test_a_later_event_is_seen() -> None:
    """The model reacts to latencies: with one cycle more for probabilities a run ends later."""
    case = helpers.CASES["gelu-4x4"]
    qm = blank(case.config(), case.vocab)
    g = Geometry.of(qm, case.rows, case.cols, 2)
    steps = program.build(qm, g).steps
    asked = [[Request(1, 4, True)] for _ in range(2)]
    latency = interleave.Latency.of(g, "gelu")
    slow = latency.__class__(**vars(latency) | {"prob": latency.prob + 1})
    ends = [
        interleave.Machine(g, steps, one, asked).run().samples[-1][0] for one in (latency, slow)
    ]
    assert ends[0] < ends[1]
