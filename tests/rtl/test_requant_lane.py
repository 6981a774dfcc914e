"""Requantiser lane: accumulator to output, bit by bit, seven cycles late."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl

SETS = (
    {"AccW": 27, "BiasW": 24},
    {"AccW": 12, "BiasW": 32},
    {"AccW": 48, "BiasW": 20},
)


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS))
def test_requant_lane(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("requant_lane", simulator, sim_build, parameters)


def test_requant_lane_checker_fails(sim_build: Path) -> None:
    check_fails("requant_lane", sim_build, SETS[0])
