"""ReLU and GELU."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl

SETS = (
    {"Bump": 1, "BumpShift": 4, "BumpW": 8, "Zero": 255, "HiddenW": 12},
    {"Bump": 0},
    {"Bump": 1, "BumpShift": 0, "BumpAddrW": 4, "BumpW": 4, "Zero": 11, "HiddenW": 8},
    {"Bump": 1, "BumpShift": 5, "BumpAddrW": 10, "BumpW": 12, "Zero": 5000, "HiddenW": 15},
)


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS, verilator=2))
def test_activation_lane(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("activation_lane", simulator, sim_build, parameters)


def test_activation_lane_checker_fails(sim_build: Path) -> None:
    check_fails("activation_lane", sim_build, SETS[0])
