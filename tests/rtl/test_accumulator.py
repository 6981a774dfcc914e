"""Accumulators of the columns."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl

SETS = (
    {"Cols": 4, "AccW": 27},
    {"Cols": 1, "AccW": 5},
    {"Cols": 16, "AccW": 32},
)


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS))
def test_accumulator(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("accumulator", simulator, sim_build, parameters)


def test_accumulator_checker_fails(sim_build: Path) -> None:
    check_fails("accumulator", sim_build, SETS[0])
