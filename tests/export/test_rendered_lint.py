"""Rendered designs pass the three parsers without a warning, and the check can fail."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sim import lint
from tests.export.helpers import CASES, rendered

# Square with GELU; rotary, tall; 12 columns; rotary, no common divisor; narrow, tall; few bits.
DESIGNS = ("gelu-4x4", "rotary-8x4", "narrow-heads-4x12", "rotary-odd-5x3", "tall-16x2", "bits-6x6")


@pytest.fixture(scope="module")
def folder(root: Path) -> Path:
    """A folder inside the checkout: the YoWASP tools see no other."""
    return root / "build" / "tests" / "export"


@pytest.mark.parametrize("name", DESIGNS)
def test_rendered_design_passes_three_parsers(folder: Path, name: str) -> None:
    assert lint.lint([], [rendered(folder / name, CASES[name])]) == []


@pytest.mark.parametrize(("name", "streams"), [("rotary-8x4", 3), ("narrow-heads-4x12", 8)])
def test_a_design_with_streams_passes_three_parsers(folder: Path, name: str, streams: int) -> None:
    case = replace(CASES[name], streams=streams)
    assert lint.lint([], [rendered(folder / f"{name}-{streams}", case)]) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "parser"),
    [
        ("core.sv", ".TokenW(5)", ".TokenW(6)", "verilator"),
        ("core.sv", "seq_slot),", "seq_slotz),", "icarus"),
        ("array.sv", "assign word_0 = wave_word_i;", "", "yosys"),
        ("files.f", "rom_tok.sv\n", "", "icarus"),
    ],
)
def test_a_broken_design_fails(folder: Path, file: str, old: str, new: str, parser: str) -> None:
    path = rendered(folder / f"broken-{parser}", CASES["gelu-4x4"]) / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    problems = lint.lint([], [path.parent])
    assert any(problem.startswith(parser) for problem in problems), problems
