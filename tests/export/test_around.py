"""The tops around a core pass the three parsers and Verible; what cannot be built is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from configs.cli import UserError
from export import around, board
from sim import lint
from tests.export.helpers import CASES, rendered


@pytest.fixture(scope="module")
def rtl(root: Path) -> Path:
    """A rendered core inside the checkout: the YoWASP tools see no other folder."""
    return rendered(root / "build" / "tests" / "around" / "rtl", CASES["rotary-8x4"])


def design(top: str, out: Path, names: list[str]) -> lint.Design:
    return lint.Design(top, tuple(Path(os.path.normpath(out / n)) for n in names), False, out)


def test_the_board_passes_three_parsers(rtl: Path) -> None:
    out = rtl.parent / "board"
    names = board.render(rtl, out, 25_000_000, 3_000_000)
    assert (out / "board.f").read_text().split("\n")[:-1] == names
    assert lint.lint([], [design(board.TOP, out, names)]) == []


def test_a_broken_board_fails(rtl: Path) -> None:
    out = rtl.parent / "broken"
    names = board.render(rtl, out, 25_000_000, 115_200)
    top = out / "board_top.sv"
    text = top.read_text()
    assert ".Streams(1)" in text
    top.write_text(text.replace(".Streams(1)", ".Streams(2)"))
    problems = lint.lint([], [design(board.TOP, out, names)])
    assert any(problem.startswith("verilator") for problem in problems)


@pytest.mark.parametrize(("clock", "baud", "step"), [(25_000_000, 115_200, 77309), (48, 6, 2**21)])
def test_the_bit_clock_is_exact_to_a_thousandth(clock: int, baud: int, step: int) -> None:
    values = board.values(clock, baud, 128, 0.25)
    assert values["step"] == step
    assert abs(values["step"] / 2**24 * clock / baud - 1) < 1e-3
    assert values["gap"] * baud >= 10 * clock
    assert 2 ** values["log_prompt"] == 128


def test_a_line_too_fast_and_a_missing_core_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="choose a lower baud"):
        board.values(25_000_000, 4_000_000, 128, 0.25)
    with pytest.raises(UserError, match="run 'make rtl'"):
        around.load(tmp_path)
