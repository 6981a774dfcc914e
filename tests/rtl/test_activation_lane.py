"""ReLU and GELU."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl

SETS = (
    {"Bump": 1, "BumpShift": 4, "BumpW": 8},
    {"Bump": 0},
    {"Bump": 1, "BumpShift": 0, "BumpW": 12},
)


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS, verilator=2))
def test_activation_lane(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("activation_lane", simulator, sim_build, parameters)


def test_activation_lane_checker_fails(sim_build: Path) -> None:
    check_fails("activation_lane", sim_build, SETS[0])
