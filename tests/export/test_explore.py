"""The exploration: what fits, what it costs, and that the front is one."""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from pathlib import Path

import pytest

from configs import devices, schema
from configs.cli import UserError
from configs.devices import Device
from export import cycles, explore, program, resources
from export.blank import blank
from export.explore import Point
from export.geometry import Geometry
from quant import banks
from tests.export import helpers

SMALL = Device(
    name="small",
    family="ecp5",
    part="none",
    luts=1000,
    flip_flops=1000,
    block_kbit=18,
    blocks=60,
    multipliers=40,
)


def options(**values: object) -> argparse.Namespace:
    base = {"vocab": 27, "weights": "8", "counts": "1", "clock": 100.0}
    base |= {"workers": 1, "scheduler": None}
    return argparse.Namespace(**base | values)


@pytest.mark.parametrize("name", helpers.CASES)
def test_memories_are_those_of_the_search(name: str) -> None:
    case = helpers.CASES[name]
    config, device = case.config(), devices.load("ulx3s-85f")
    qm = blank(config, case.vocab)
    g = Geometry.of(qm, case.rows, case.cols)
    found = resources.memories(qm, g, program.build(qm, g), 7)
    assert found == [
        (one.name, one.copies, one.width, one.words)
        for one in banks.memories(config, case.vocab, 7)
    ]
    assert sum(resources.blocks(device, found).values()) == banks.blocks(
        config, case.vocab, 7, device
    )


def test_multipliers_of_the_default_machine() -> None:
    qm = blank(schema.load("stories"), 60)
    assert sum(resources.multipliers(Geometry.of(qm, 8, 16)).values()) == 128 + 16 + 4 + 1


def test_every_machine_that_fits_is_there_with_its_cycles() -> None:
    config = schema.load("tiny")
    points, missing = explore.explore(config, options(weights="8,4"), SMALL)
    shapes = explore.shapes(config, SMALL, [1])
    assert len(points) + sum(missing.values()) == 2 * len(shapes)
    assert missing["multipliers"] > 0
    assert {(p.rows, p.cols, p.streams) for p in points} <= set(shapes)
    assert {p.weight_bits for p in points} == {8, 4}
    for point in points[:6]:
        assert point.multipliers <= SMALL.multipliers
        assert point.blocks <= SMALL.blocks
        one = cycles.single(cycles.machine(blank(config, 27), point.rows, point.cols))
        assert point.cycles == one.mean()
        assert point.tokens_per_second == pytest.approx(1e8 / one.mean())


def test_streams_are_faster_and_take_memory() -> None:
    config = schema.load("tiny")
    config = config.model_copy(
        update={"model": config.model.model_copy(update={"context": 6, "positions": "rotary"})}
    )
    points, _ = explore.explore(config, options(counts="1,4"), SMALL)
    by_shape: dict = {}
    for point in points:
        by_shape.setdefault((point.rows, point.cols), {})[point.streams] = point
    pairs = [(one[1], one[4]) for one in by_shape.values() if len(one) == 2]
    assert pairs
    for alone, together in pairs:
        assert together.cycles < alone.cycles
        assert together.blocks >= alone.blocks
        assert together.multipliers >= alone.multipliers


@pytest.mark.parametrize(("rows", "cols", "streams"), [(4, 4, 2), (2, 8, 4), (4, 8, 8)])
def test_few_tokens_tell_of_all(rows: int, cols: int, streams: int) -> None:
    qm = blank(schema.load("tiny"), 27)
    g = Geometry.of(qm, rows, cols, streams)
    mean, floor = explore.steady(qm, g, program.build(qm, g).steps)
    whole = cycles.interleaved(qm, g)
    assert mean == pytest.approx(whole.cycles_per_token(), rel=0.03)
    assert floor == pytest.approx(whole.floor(g), rel=0.01)


@pytest.mark.parametrize("text", ["0", "9", "1,", "x"])
def test_streams_that_are_none(text: str) -> None:
    with pytest.raises(UserError, match="numbers from 1 to 8"):
        explore.stream_counts(text, schema.load("tiny"))


def test_what_is_explored_unless_asked() -> None:
    config = schema.load("tiny")
    assert explore.stream_counts(None, config) == [1, 2, 4, 8]
    assert explore.weight_widths(None, config, 27) == [8, 4, 2]


def test_processes_give_the_same() -> None:
    config = schema.load("tiny")
    one, _ = explore.explore(config, options(), SMALL)
    two, _ = explore.explore(config, options(workers=2), SMALL)
    assert one == two


def test_no_point_beats_the_front() -> None:
    points = [
        Point(2, 2, 1, bits, multipliers, blocks, float(cycles), 1.0, 1.0)
        for bits, multipliers, blocks, cycles in itertools.product(
            (4, 8), (5, 9, 20), (3, 4), (100, 90, 70)
        )
        if (multipliers * 7 + blocks * 5 + cycles) % 4
    ]

    def beats(one: Point, other: Point) -> bool:
        keys = [(p.cycles, p.multipliers, p.blocks) for p in (one, other)]
        same = one.weight_bits == other.weight_bits
        return same and keys[0] != keys[1] and all(a <= b for a, b in zip(*keys, strict=True))

    best = explore.front(points)
    assert best
    for point in points:
        assert (point in best) != any(beats(other, point) for other in points)


@pytest.mark.parametrize("text", ["9", "1", "8,", "x", "8;4"])
def test_widths_that_are_none(text: str) -> None:
    with pytest.raises(UserError, match="from 2 to 8 bits"):
        explore.weight_widths(text, schema.load("tiny"), 27)


def test_without_dask_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dask.distributed", None)
    with pytest.raises(UserError, match="pip install distributed"):
        explore.mapper("tcp://127.0.0.1:1", 1)


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(schema, "BUILD_DIR", tmp_path)
    words = "explore tiny --vocab 27 --workers 1 --streams 1,2".split()
    monkeypatch.setattr("sys.argv", words)
    tight = SMALL.model_copy(update={"blocks": 5})
    monkeypatch.setattr(devices, "load", lambda name: tight)
    sums = r"2 x 2, 1 streams, 2 b takes multipliers .+ = \d+, it has 40; blocks .+ = \d+, it has 5"
    with pytest.raises(UserError, match=f"nothing fits small: {sums}"):
        explore.main()
    monkeypatch.setattr(devices, "load", lambda name: SMALL)
    explore.main()
    assert "on the front" in capsys.readouterr().out
    data = json.loads((tmp_path / "tiny" / "explore" / "explore.json").read_text())
    assert len(data["front"]) <= len(data["points"])
    assert (tmp_path / "tiny" / "explore" / "explore.png").stat().st_size > 5000
