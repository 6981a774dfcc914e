"""Residual stream memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl

SETS = (
    {"Cols": 4, "W": 16, "Tiles": 6, "TileW": 3},
    {"Cols": 2, "W": 3, "Tiles": 1, "TileW": 1},
    {"Cols": 3, "W": 16, "Tiles": 4, "TileW": 2},
)


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS))
def test_residual_mem(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("residual_mem", simulator, sim_build, parameters)


def test_residual_mem_checker_fails(sim_build: Path) -> None:
    check_fails("residual_mem", sim_build, SETS[0])
