"""Mantissa and exponent of 1/rms."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl

SETS = (
    {"Cols": 16, "Passes": 4, "SumW": 40, "Eps": 7},
    {"Cols": 4, "Passes": 1, "SumW": 36, "Eps": 1},
    {"Cols": 4, "Passes": 4, "SumW": 36, "Eps": 123456},
    {"Cols": 6, "Passes": 2, "SumW": 37, "Eps": 1, "IndexBits": 4},
    {"Cols": 2, "Passes": 1, "SumW": 35, "Eps": 900000, "IndexBits": 8},
    {"Cols": 4, "Passes": 2, "W": 12, "SumW": 28, "Eps": 77},
)


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS))
def test_norm_unit(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("norm_unit", simulator, sim_build, parameters)


def test_norm_unit_checker_fails(sim_build: Path) -> None:
    check_fails("norm_unit", sim_build, SETS[0])
