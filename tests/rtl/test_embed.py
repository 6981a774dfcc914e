"""Embedding: rows added and saturated, tile by tile."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl

SETS = (
    {"C": 4, "Tiles": 4, "TokenW": 5, "PosW": 4, "HasPos": 1, "Gap": 2},
    {"C": 4, "Tiles": 3, "TokenW": 5, "PosW": 4, "HasPos": 1, "Gap": 1},
    {"C": 2, "Tiles": 6, "TokenW": 4, "PosW": 3, "HasPos": 0, "Gap": 3},
    {"C": 2, "Tiles": 6, "TokenW": 4, "PosW": 3, "HasPos": 0, "Gap": 3, "W": 12},
    {"C": 16, "Tiles": 1, "TokenW": 6, "PosW": 5, "HasPos": 1, "Gap": 1},
    {"C": 6, "Tiles": 2, "TokenW": 4, "PosW": 5, "HasPos": 1, "Gap": 1, "W": 13},
)


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS))
def test_embed(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("embed", simulator, sim_build, parameters)


def test_embed_checker_fails(sim_build: Path) -> None:
    check_fails("embed", sim_build, SETS[0])
