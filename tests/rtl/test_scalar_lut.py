"""Reciprocal square root and reciprocal from a table."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl

SETS = (
    {"InW": 40, "Even": 1},
    {"InW": 19, "Even": 0},
    {"InW": 11, "Even": 1, "IndexBits": 8},
    {"InW": 11, "Even": 0, "IndexBits": 4},
)


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS, verilator=2))
def test_scalar_lut(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("scalar_lut", simulator, sim_build, parameters)


def test_scalar_lut_checker_fails(sim_build: Path) -> None:
    check_fails("scalar_lut", sim_build, SETS[0])
