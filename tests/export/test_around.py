"""The tops around a core pass the three parsers and Verible; what cannot be built is refused."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
from pathlib import Path

import pytest

from configs.cli import UserError
from export import around, board, registers, render, soc, spec
from sim import lint
from tests.export.helpers import CASES, SOURCE, artefact, rendered


@pytest.fixture(scope="module")
def rtl(root: Path) -> Path:
    """A rendered core inside the checkout: the YoWASP tools see no other folder."""
    return rendered(root / "build" / "tests" / "around" / "rtl", CASES["rotary-8x4"])


def design(top: str, out: Path, names: list[str]) -> lint.Design:
    return lint.Design(top, tuple(Path(os.path.normpath(out / n)) for n in names), False, out)


def of_two_streams(rtl: Path) -> Path:
    """The same core for two streams."""
    case = CASES["rotary-8x4"]
    two = spec.build(artefact(case), case.rows, case.cols, 2)
    render.render(two, rtl.parent / "rtl2", "case", SOURCE)
    return rtl.parent / "rtl2"


@pytest.mark.parametrize("streams", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_the_board_passes_three_parsers(rtl: Path, streams: int) -> None:
    out = rtl.parent / f"board{streams}"
    rtl = rtl if streams == 1 else of_two_streams(rtl)
    names = board.render(rtl, out, 25_000_000, 3_000_000)
    assert (out / "board.f").read_text().split("\n")[:-1] == names
    assert lint.lint([], [design(board.TOP, out, names)]) == []


@pytest.mark.parametrize("streams", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_the_soc_passes_three_parsers(rtl: Path, streams: int) -> None:
    out = rtl.parent / f"soc{streams}"
    rtl = rtl if streams == 1 else of_two_streams(rtl)
    names = soc.render(rtl, out)
    assert (out / "soc.f").read_text().split("\n")[:-1] == names
    assert lint.lint([], [design(soc.TOP, out, names)]) == []


def test_the_header_is_c_and_names_the_addresses(rtl: Path) -> None:
    out = rtl.parent / "soc"
    soc.render(rtl, out)
    text = (out / "fixformer.h").read_text()
    defined = dict(re.findall(r"#define (\w+) (0x[0-9A-F]+|\d+)u", text))
    for place in registers.places(1, 1):
        if place.index == 0:
            assert int(defined[f"FIXFORMER_{place.register.name}"], 16) == place.address
    source = "unsigned seed(unsigned s) {return FIXFORMER_SEED + s * FIXFORMER_STREAM_STRIDE;}"
    command = "g++ -x c -std=c99 -Wall -Wextra -Werror -fsyntax-only -include fixformer.h -"
    compiled = subprocess.run(command.split(), cwd=out, input=source, text=True, check=False)
    assert compiled.returncode == 0


def test_no_two_registers_overlap() -> None:
    places = registers.places(registers.STREAMS_MAX, 64)
    assert len({place.address for place in places}) == len(places)
    assert max(place.address for place in places) < 1 << registers.ADDR_W
    for place in places:
        masks = [field.mask for field in place.register.fields]
        assert sum(masks) == place.mask < 1 << 32
        assert all(a & b == 0 for a, b in itertools.combinations(masks, 2))


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
