"""Requests, tokens and every ending, at any idle and back-pressure."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl

SETS = (
    {
        "TokenW": 4,
        "PosW": 5,
        "Vocab": 13,
        "Context": 19,
        "Rows": 2,
        "Cols": 4,
        "CountW": 4,
        "TileW": 3,
        "RowW": 1,
        "ColW": 2,
    },
    {
        "TokenW": 6,
        "PosW": 5,
        "Vocab": 60,
        "Context": 32,
        "Rows": 8,
        "Cols": 4,
        "CountW": 2,
        "TileW": 3,
        "RowW": 3,
        "ColW": 2,
    },
    {
        "TokenW": 4,
        "PosW": 4,
        "Vocab": 16,
        "Context": 16,
        "Rows": 4,
        "Cols": 4,
        "CountW": 2,
        "TileW": 2,
        "RowW": 2,
        "ColW": 2,
    },
    {
        "TokenW": 2,
        "PosW": 3,
        "Vocab": 4,
        "Context": 7,
        "Rows": 3,
        "Cols": 3,
        "CountW": 2,
        "TileW": 2,
        "RowW": 2,
        "ColW": 2,
    },
    {
        "TokenW": 9,
        "PosW": 5,
        "Vocab": 300,
        "Context": 21,
        "Rows": 2,
        "Cols": 6,
        "CountW": 4,
        "TileW": 2,
        "RowW": 1,
        "ColW": 3,
    },
)


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS))
def test_controller(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("controller", simulator, sim_build, parameters)


def test_controller_checker_fails(sim_build: Path) -> None:
    check_fails("controller", sim_build, SETS[0])
