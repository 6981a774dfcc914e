"""Delay line: any length, with and without reset."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl

SETS = (
    {"W": 3, "N": 4, "Reset": 1},
    {"W": 2, "N": 0},
    {"W": 1, "N": 1},
    {"W": 5, "N": 3},
)


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS))
def test_delay_line(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("delay_line", simulator, sim_build, parameters)


def test_delay_line_checker_fails(sim_build: Path) -> None:
    check_fails("delay_line", sim_build, SETS[0])
