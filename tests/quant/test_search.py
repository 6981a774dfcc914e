"""The search for widths: the front against all combinations, budgets, blocks, and mistakes."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from configs import devices, schema
from configs.cli import UserError
from configs.devices import BlockRam
from configs.schema import Config, ConfigError
from model import tasks
from quant import banks, pipeline, search, search_table
from quant.front import BITS, Point, front, thinned, within
from quant.golden import GoldenModel
from quant.score import score
from quant.search import Budget
from tests.export import helpers as machines
from tests.quant.helpers import save_random

SIZES = [6, 10, 3, 16]
GENERIC = BlockRam(name="generic", block_kbit=18, blocks=1)


def costs(seed: int) -> np.ndarray:
    """KL of each matrix at each width: falls by about four per bit, with noise."""
    rng = np.random.default_rng(seed)
    scale = rng.uniform(0.01, 1, (len(SIZES), 1))
    return scale * 4.0 ** -np.arange(len(BITS)) * rng.uniform(0.3, 1.7, (len(SIZES), len(BITS)))


def total(widths: tuple[int, ...]) -> int:
    return sum(size * width for size, width in zip(SIZES, widths, strict=True))


def predicted(table: np.ndarray, widths: tuple[int, ...]) -> float:
    return sum(float(row[width - BITS[0]]) for row, width in zip(table, widths, strict=True))


# -- the choice


@pytest.mark.parametrize(("seed", "most"), [(1, 8), (2, 8), (3, 5), (4, 2)])
def test_no_combination_beats_the_front(seed: int, most: int) -> None:
    table = costs(seed)
    points = front(SIZES, table, most)
    best: dict[int, float] = {}
    for widths in itertools.product(range(2, most + 1), repeat=len(SIZES)):
        bits = total(widths)
        best[bits] = min(best.get(bits, np.inf), predicted(table, widths))
    least, expected = np.inf, {}
    for bits in sorted(best):
        if best[bits] < least - 1e-12:
            expected[bits] = least = best[bits]
    assert {point.bits: point.kl for point in points} == pytest.approx(expected)
    for point in points:
        assert point.bits == total(point.widths)
        assert point.kl == pytest.approx(predicted(table, point.widths))


def test_a_table_made_by_hand() -> None:
    """Matrix 0 needs its bits and matrix 1 does not: 20 bits are best spent 8 and 2."""
    table = np.array([[6.0, 5, 4, 3, 2, 1, 0], [0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0]])
    assert within(front([2, 2], table), 20) == Point((8, 2), 20, 0.6)
    assert within(front([2, 2], table), 21) == Point((8, 2), 20, 0.6)
    assert within(front([2, 2], table), 22) == Point((8, 3), 22, 0.5)
    assert within(front([2, 2], table), 7) is None


def test_the_front_is_monotone_and_ends_are_shown() -> None:
    points = front(SIZES, costs(7))
    bits, kl = [point.bits for point in points], [point.kl for point in points]
    assert bits == sorted(set(bits))
    assert kl == sorted(set(kl), reverse=True)
    assert points[0].widths == (2, 2, 2, 2)
    few = thinned(points, 6)
    assert len(few) <= 6
    assert few[0] == points[0]
    assert few[-1] == points[-1]
    assert thinned(points, 10**6) == points


def test_a_budget_is_never_exceeded() -> None:
    points = front(SIZES, costs(8))
    for budget in range(2 * sum(SIZES), 9 * sum(SIZES), 5):
        point = within(points, budget)
        assert point is not None
        assert point.bits <= budget
        assert all(other.kl >= point.kl for other in points if other.bits <= budget)


# -- block RAM


@pytest.mark.parametrize(
    ("width", "words", "count"),
    [(36, 512, 1), (37, 512, 2), (18, 1024, 1), (18, 1025, 2), (128, 800, 8), (1, 16384, 1)],
)
def test_blocks_of_18_kbit(width: int, words: int, count: int) -> None:
    assert GENERIC.count(width, words) == count


def test_every_device_is_readable_and_small_blocks_are_narrow() -> None:
    for name in devices.available():
        assert devices.load(name).blocks > 0
    assert devices.load("ulx3s-85f").blocks == 208
    assert devices.load("icebreaker").count(32, 256) == 2
    with pytest.raises(ConfigError, match=r"no device 'nope'; there are: arty.*ulx3s-85f$"):
        devices.load("nope")


def test_a_damaged_device_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "FOLDER", tmp_path)
    for name, text in {"a": "blocks = 3", "b": "blocks = ", "c": 'name = "x"'}.items():
        (tmp_path / f"{name}.toml").write_text(text)
        with pytest.raises(ConfigError, match=f"^device '{name}': [^\n]*$"):
            devices.load(name)


@pytest.mark.parametrize("name", machines.CASES)
def test_memories_are_those_of_the_rendered_machine(name: str) -> None:
    case = machines.CASES[name]
    built = machines.build(case)
    roms, p = {rom.name: rom for rom in built.roms}, built.params
    found = {
        one.name: (one.copies, one.width, one.words)
        for one in banks.memories(case.config(), case.vocab, p["WeightW"])
    }
    rom = roms["rom_weights_0"]
    expected = {
        "weights": (case.rows, rom.width, len(rom.words)),
        "token embedding": (1, roms["rom_tok"].width, len(roms["rom_tok"].words)),
        "KV cache": (case.rows, case.cols * p["KvW"], p["KvDepth"]),
    }
    if "rom_pos" in roms:
        expected["positions"] = (1, roms["rom_pos"].width, len(roms["rom_pos"].words))
    assert found == expected


# -- the whole


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """A config whose build folder holds a model of random, lively weights."""
    monkeypatch.setattr(schema, "BUILD_DIR", tmp_path)
    monkeypatch.setattr(search, "TOKENS", 512)
    config = schema.load("tiny")
    bits = {"*.weight": 7, "layers.*.k": 9}  # the first is what is searched, the second stays
    quant = config.quant.model_copy(update={"bits": bits, "calibration_windows": 8})
    config = config.model_copy(update={"quant": quant})
    save_random(config)
    return config


def test_it_chooses_predicts_and_writes(trained: Config) -> None:
    result = search.run(trained, Budget(16, GENERIC), quiet=True)
    chosen, uniform = result["chosen"], {row["widths"][0]: row for row in result["uniform"]}
    assert chosen["bits"] <= 16 * 1024
    assert len(set(chosen["widths"])) > 1
    assert chosen["measured_kl"] == pytest.approx(chosen["predicted_kl"], rel=0.3)
    assert uniform[8]["measured_kl"] == pytest.approx(uniform[8]["predicted_kl"])
    beaten = [row for row in result["uniform"] if row["bits"] >= chosen["bits"]]
    assert all(row["widths"][0] > 4 for row in beaten)
    folder = trained.build_dir / "search"
    assert sorted(p.name for p in folder.iterdir()) == ["bits.toml", "pareto.png", "search.json"]
    assert json.loads((folder / "search.json").read_text()) == result
    text = search_table.describe(result)
    assert f"predicted {chosen['predicted_kl']:.5f}" in text
    assert text.count("<- chosen") == 1


def test_the_lines_for_the_config_give_the_model_that_was_scored(trained: Config) -> None:
    result = search.run(trained, Budget(16, GENERIC), quiet=True)
    section = tomllib.loads((trained.build_dir / "search" / "bits.toml").read_text())
    bits = section["quant"]["bits"]
    assert bits["layers.*.k"] == 9
    data = trained.model_dump(exclude={"name"})
    data["quant"] |= {"bits": bits}
    config = schema.parse("tiny", data)
    model, task = pipeline.load_trained(config)
    qm = pipeline.build(config, model, task, *pipeline.prepare(config, model, task))
    weights = [linear for layer in qm.layers for linear in layer.linears().values()]
    weights.append(qm.head)
    assert [linear.weight_bits for linear in weights] == result["chosen"]["widths"]
    assert qm.layers[0].k.out_bits == 9
    assert score(model, GoldenModel(qm), task).kl == result["held_out"]["score"]["kl"]


def test_blocks_limit_the_widest_matrix(trained: Config) -> None:
    vocab = len(tasks.load(trained).tokenizer.vocab)
    device = BlockRam(name="d", block_kbit=1, blocks=1)
    enough = banks.blocks(trained, vocab, 4, device)
    assert banks.blocks(trained, vocab, 5, device) > enough
    device = device.model_copy(update={"blocks": enough})
    result = search.run(trained, Budget(None, device), quiet=True)
    assert max(result["chosen"]["widths"]) == 4
    assert result["chosen"]["blocks"] == enough
    assert max(max(row["widths"]) for row in result["front"]) == 4


def test_budgets_that_cannot_be_met_leave_nothing(trained: Config) -> None:
    with pytest.raises(UserError, match=r"^--budget-kbit 3: .* take \d+ kbit, less is not poss"):
        search.run(trained, Budget(3, GENERIC), quiet=True)
    with pytest.raises(UserError, match=r"1 blocks of 18 kbit are not enough; .* take \d+$"):
        search.run(trained, Budget(None, GENERIC), quiet=True)
    gated = trained.model_copy(
        update={"model": trained.model.model_copy(update={"activation": "swiglu"})}
    )
    with pytest.raises(UserError, match="give --budget-kbit"):
        search.widest(gated, 9, GENERIC)
    shutil.rmtree(trained.build_dir / "model")
    with pytest.raises(UserError, match="no model in"):
        search.run(trained, Budget(16, GENERIC), quiet=True)
    assert list(trained.build_dir.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--device", "nope"], "error: no device 'nope'; there are: "),
        (["--budget-kbit", "0"], "--budget-kbit"),
        (["--blocks", "9", "--device", "icebreaker"], "not allowed with"),
        (["--device", "icebreaker", "--block-kbit", "9"], "has blocks of its own"),
        ([], "one of the arguments --budget-kbit --blocks --device is required"),
    ],
)
def test_bad_options_are_one_line(root: Path, options: list[str], message: str) -> None:
    command = [sys.executable, "-m", "quant.search", *options]
    result = subprocess.run(command, cwd=root, env=os.environ, capture_output=True, text=True)
    assert result.returncode == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert not result.stdout
