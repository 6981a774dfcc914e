"""Saturation to every width."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl

SETS = (
    {"InW": 32, "OutW": 16},
    {"InW": 8, "OutW": 5},
    {"InW": 17, "OutW": 16},
)


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS))
def test_saturate(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("saturate", simulator, sim_build, parameters)


def test_saturate_checker_fails(sim_build: Path) -> None:
    check_fails("saturate", sim_build, SETS[0])
