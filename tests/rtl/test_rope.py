"""Rotary positions: pairs of lanes turned, or passed through."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl

SETS = (
    {"C": 16, "Passes": 4},
    {"C": 4, "Passes": 1},
    {"C": 4, "Passes": 2},
    {"C": 4, "Passes": 4},
    {"C": 6, "Passes": 2},
    {"C": 16, "Passes": 8, "W": 12},
    {"C": 3, "Passes": 1},
    {"C": 9, "Passes": 3},
)


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS))
def test_rope(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("rope", simulator, sim_build, parameters)


def test_rope_checker_fails(sim_build: Path) -> None:
    check_fails("rope", sim_build, SETS[0])
