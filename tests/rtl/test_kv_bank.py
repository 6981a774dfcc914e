"""KV cache of one row: one to four waves or tiles a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl

SETS = (
    {
        "Rows": 2,
        "Cols": 4,
        "Row": 1,
        "W": 8,
        "Depth": 6,
        "AddrW": 3,
        "SubW": 1,
        "GroupW": 1,
        "RowW": 1,
        "ColW": 2,
    },
    {
        "Rows": 4,
        "Cols": 2,
        "Row": 3,
        "W": 8,
        "Depth": 5,
        "AddrW": 3,
        "SubW": 1,
        "GroupW": 1,
        "RowW": 2,
        "ColW": 1,
    },
    {
        "Rows": 4,
        "Cols": 2,
        "Row": 1,
        "W": 4,
        "Depth": 5,
        "AddrW": 3,
        "SubW": 1,
        "GroupW": 1,
        "RowW": 2,
        "ColW": 1,
    },
    {
        "Rows": 2,
        "Cols": 6,
        "Row": 0,
        "W": 3,
        "Depth": 4,
        "AddrW": 2,
        "SubW": 2,
        "GroupW": 1,
        "RowW": 1,
        "ColW": 3,
    },
    {
        "Rows": 8,
        "Cols": 2,
        "Row": 5,
        "W": 9,
        "Depth": 3,
        "AddrW": 2,
        "SubW": 1,
        "GroupW": 2,
        "RowW": 3,
        "ColW": 1,
    },
    {
        "Rows": 6,
        "Cols": 2,
        "Row": 2,
        "W": 5,
        "Depth": 3,
        "AddrW": 2,
        "SubW": 1,
        "GroupW": 2,
        "RowW": 3,
        "ColW": 1,
    },
    {
        "Rows": 2,
        "Cols": 8,
        "Row": 1,
        "W": 6,
        "Depth": 2,
        "AddrW": 1,
        "SubW": 2,
        "GroupW": 1,
        "RowW": 1,
        "ColW": 3,
    },
    {
        "Rows": 3,
        "Cols": 3,
        "Row": 2,
        "W": 16,
        "Depth": 4,
        "AddrW": 2,
        "SubW": 1,
        "GroupW": 1,
        "RowW": 2,
        "ColW": 2,
    },
)


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS))
def test_kv_bank(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("kv_bank", simulator, sim_build, parameters)


def test_kv_bank_checker_fails(sim_build: Path) -> None:
    check_fails("kv_bank", sim_build, SETS[0])
