"""Saturating addition."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl

SETS = (
    {"W": 16},
    {"W": 4},
    {"W": 6},
    {"W": 3},
)


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS))
def test_saturating_add(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("saturating_add", simulator, sim_build, parameters)


def test_saturating_add_checker_fails(sim_build: Path) -> None:
    check_fails("saturating_add", sim_build, SETS[0])
