"""Sum of squares over tiles, with the constant added once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl

SETS = (
    {"C": 16, "Passes": 2, "SumW": 40},
    {"C": 4, "Passes": 1, "SumW": 36},
    {"C": 4, "Passes": 2, "SumW": 36},
    {"C": 4, "Passes": 4, "SumW": 36},
    {"C": 6, "Passes": 2, "SumW": 37},
    {"C": 4, "Passes": 2, "W": 12, "SumW": 28},
)


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS))
def test_sum_squares(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("sum_squares", simulator, sim_build, parameters)


def test_sum_squares_checker_fails(sim_build: Path) -> None:
    check_fails("sum_squares", sim_build, SETS[0])
