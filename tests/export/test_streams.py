"""What several streams add to program and memories: places of their own, and hints that hold."""

from __future__ import annotations

from dataclasses import replace

import pytest

from configs.schema import ConfigError
from tests.export.helpers import CASES
from tests.export.memories import Program

QUERY, KEY, VALUE, SCORE, NONE = 2, 3, 4, 5, 7
SLOT_X = 2
MACHINES = [
    (name, streams)
    for name in ("gelu-4x4", "rotary-8x4", "rotary-2x16", "tall-16x2", "odd-3x9")
    for streams in (2, 3, 8)
]


@pytest.fixture(params=MACHINES, ids=lambda machine: f"{machine[0]}-{machine[1]}")
def program(request: pytest.FixtureRequest) -> Program:
    name, streams = request.param
    return Program.of(replace(CASES[name], streams=streams))


def waves(step: dict[str, int]) -> int:
    """Of a step with constant weights."""
    return (step["outer"] + 1) * (step["inner"] + 1)


def test_the_embedding_comes_first_and_reads_nothing(program: Program) -> None:
    p, (first, *rest) = program.spec.params, program.steps
    assert (first["dest"], first["slot"], first["gate"], first["clear"]) == (NONE, 0, 0, SLOT_X)
    assert (first["outer"] + 1, first["inner"] + 1) == (p["XTiles"], p["NormPasses"])
    assert all(step["dest"] != NONE for step in rest)


def test_hints_are_the_needs_of_the_next_step(program: Program) -> None:
    for step, after in zip(program.steps, program.steps[1:], strict=False):
        assert (step["next_slot"], step["next_gate"]) == (after["slot"], after["gate"])
        assert step["next_layer"] == (after["dest"] == QUERY)
        assert step["next_sample"] == after["sample_only"]
        if step["sticky"]:  # it follows at once: nothing more, and nothing that this step writes
            needed = {after["slot"], after["gate"]} - {0}
            assert needed <= {step["slot"], step["gate"]}
            assert step["clear"] not in needed
        assert step["score"] == (step["dest"] == SCORE)
    assert not program.steps[-1]["sticky"]


def test_queries_keys_and_values_stay_together(program: Program) -> None:
    p, steps = program.spec.params, program.steps
    for number, step in enumerate(steps):
        if step["dest"] != QUERY:
            continue
        query, key, value = steps[number : number + 3]
        assert (key["dest"], value["dest"]) == (KEY, VALUE)
        assert query["sticky"]
        assert key["sticky"]
        # a tile of another context behind the values meets no query that leaves the rotation
        assert waves(key) + waves(value) >= p["RopeLatency"]
        begin = key["outer"] * p["Cols"]
        waves_of_tile = {lane // p["Rows"] for lane in range(begin, begin + p["Cols"])}
        assert value["inner"] + 1 >= len(waves_of_tile)  # the last keys are written


def test_every_context_and_stream_has_its_place(program: Program) -> None:
    p, streams = program.spec.params, program.spec.geometry.streams
    assert p["OpWords"] == p["ProbWords"] == streams << p["OpWordW"]
    assert (p["OpWords"] - 1).bit_length() <= p["OpAddrW"]
    assert p["KvDepth"] == streams * p["KvWords"]
    assert (p["KvDepth"] - 1).bit_length() <= min(p["KvAddrW"], p["AddrW"])
    for step in program.steps:
        if step["kv"]:
            assert step["addr"] < p["KvWords"]
        if step["dest"] in (KEY, VALUE):
            assert step["dst_kv"] < p["KvWords"]


@pytest.mark.parametrize("streams", [0, 9, -1])
def test_a_number_of_streams_that_cannot_be(streams: int) -> None:
    with pytest.raises(ConfigError, match=r"streams"):
        replace(CASES["gelu-4x4"], streams=streams).config()
