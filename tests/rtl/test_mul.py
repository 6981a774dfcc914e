"""Multiplier: exact products, three cycles late."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl

SETS = (
    {"AW": 18, "BW": 17},
    {"AW": 4, "BW": 3},
)


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS))
def test_mul(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("mul", simulator, sim_build, parameters)


def test_mul_checker_fails(sim_build: Path) -> None:
    check_fails("mul", sim_build, SETS[0])
