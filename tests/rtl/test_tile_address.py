"""Address of the tiles of a vector."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl

SETS = (
    {"WordW": 3, "GroupW": 2, "Groups": 3},
    {"WordW": 4, "GroupW": 1, "Groups": 1},
    {"WordW": 2, "GroupW": 1, "Groups": 2},
    {"WordW": 6, "GroupW": 2, "Groups": 4},
)


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS))
def test_tile_address(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("tile_address", simulator, sim_build, parameters)


def test_tile_address_checker_fails(sim_build: Path) -> None:
    check_fails("tile_address", sim_build, SETS[0])
