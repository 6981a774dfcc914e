"""Unsigned resize, wider and narrower."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl

SETS = (
    {"InW": 4, "OutW": 8},
    {"InW": 6, "OutW": 3},
    {"InW": 5, "OutW": 5},
    {"InW": 16, "OutW": 40},
    {"InW": 16, "OutW": 7},
)


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS))
def test_resize(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("resize", simulator, sim_build, parameters)


def test_resize_checker_fails(sim_build: Path) -> None:
    check_fails("resize", sim_build, SETS[0])
