"""The cycle model without a simulator: it needs no numbers, its parts add up, its command works.

That it equals the Verilog is tested where the Verilog runs: tests/rtl/test_core_shapes.py.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from configs import schema
from configs.cli import UserError
from export import cycles, program
from export.blank import blank
from export.geometry import Geometry
from export.stages import STAGES, split
from tests.export import helpers

CONTENTS = {"matrix", "shifts", "biases", "exponent", "bits"}
KINDS = [(False, False), (True, False), (True, True)]  # sampled, warm


def machine_of(name: str) -> cycles.Machine:
    case = helpers.CASES[name]
    return cycles.machine(blank(case.config(), case.vocab), case.rows, case.cols)


@pytest.mark.parametrize("name", helpers.CASES)
def test_a_blank_model_has_the_program_of_a_full_one(name: str) -> None:
    case = helpers.CASES[name]
    full = helpers.artefact(case)
    one = program.build(full, Geometry.of(full, case.rows, case.cols))
    other = machine_of(name)
    assert len(one.steps) == len(other.steps)
    for left, right in zip(one.steps, other.steps, strict=True):
        for field in vars(left).keys() - CONTENTS:
            assert getattr(left, field) == getattr(right, field), (left.stage, field)


@pytest.mark.parametrize("name", helpers.CASES)
def test_cycles_are_the_sum_of_their_parts(name: str) -> None:
    machine = machine_of(name)
    waves = {}
    for position in range(machine.geometry.context):
        for sampled, warm in KINDS:
            token = machine.token(position, sampled=sampled, first=position == 0, warm=warm)
            total, *causes = token.counters()
            assert total == token.cycles == sum(causes)
            stages = split(machine, token)
            assert list(stages) == list(STAGES)
            assert sum(stages.values()) == token.cycles
            assert min(stages.values()) >= 0
            waves[position, sampled] = causes[0]
            floor = machine.geometry.macs(position, sampled=sampled)
            assert causes[0] * machine.geometry.rows * machine.geometry.cols >= floor
    assert all(waves[p, True] > waves[p, False] for p in range(machine.geometry.context))


def test_steps_follow_one_another_without_overlap() -> None:
    token = machine_of("mixed-4x8").token(3, sampled=True, first=False, warm=True)
    for before, after in zip(token.steps, token.steps[1:], strict=False):
        assert after.load >= before.end
        assert after.end > before.end


def test_a_wait_that_never_ends_is_an_error() -> None:
    machine = machine_of("gelu-4x4")
    machine.slots = {2: []}
    with pytest.raises(ValueError, match="slot 2 never holds the 16 elements"):
        machine.operand_ready(2, 4, 0)


def test_the_vocabulary_is_given_or_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "BUILD_DIR", tmp_path)
    config = schema.load("tiny")
    assert cycles.vocabulary(config, 27) == 27
    for given in (1, 70_000):
        with pytest.raises(UserError, match="--vocab"):
            cycles.vocabulary(config, given)
    with pytest.raises(UserError, match="give --vocab"):
        cycles.vocabulary(config, None)
    folder = tmp_path / "tiny" / "model"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"vocab_size": 61}')
    assert cycles.vocabulary(config, None) == 61
    (folder / "config.json").write_text("{")
    with pytest.raises(UserError, match="damaged"):
        cycles.vocabulary(config, None)


@pytest.mark.parametrize("text", ["8", "8x", "x4", "8x-4", "8*4"])
def test_an_array_is_two_numbers(text: str) -> None:
    with pytest.raises(UserError, match="rows x columns"):
        cycles.array(text)


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(schema, "BUILD_DIR", tmp_path)
    words = ["cycles", "--config", "tiny", "--vocab", "33", "--array", "2x8"]
    monkeypatch.setattr("sys.argv", words)
    cycles.main()
    text = capsys.readouterr().out
    assert "tiny on 2 x 8 = 16 multipliers, sampled tokens" in text
    data = json.loads((tmp_path / "tiny" / "cycles" / "cycles.json").read_text())
    assert len(data["sampled"]["cycles"]) == 32
    assert f"{data['sampled']['cycles'][0]:,}" in text
    totals = [sum(row) for row in zip(*data["prompt"]["stages"].values(), strict=True)]
    assert totals == data["prompt"]["cycles"]
    assert (tmp_path / "tiny" / "cycles" / "cycles.png").stat().st_size > 5000


@pytest.mark.parametrize("text", ["1000x1000", "2x257", "1x4", "8x", "axb", "0x0"])
def test_an_array_that_is_none(text: str) -> None:
    with pytest.raises(UserError, match=f"--array {text}: "):
        cycles.array(text)
