"""Addresses of keys and values: one to four waves or tiles a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl

SETS = (
    {
        "Rows": 2,
        "Cols": 4,
        "W": 8,
        "AddrW": 9,
        "SubW": 1,
        "GroupW": 1,
        "RowW": 1,
        "ColW": 2,
        "CountW": 5,
        "TileW": 4,
        "KStride": 8,
        "VStride": 4,
    },
    {
        "Rows": 4,
        "Cols": 2,
        "W": 8,
        "AddrW": 8,
        "SubW": 1,
        "GroupW": 1,
        "RowW": 2,
        "ColW": 1,
        "CountW": 4,
        "TileW": 5,
        "KStride": 16,
        "VStride": 8,
    },
    {
        "Rows": 2,
        "Cols": 6,
        "W": 5,
        "AddrW": 6,
        "SubW": 2,
        "GroupW": 1,
        "RowW": 1,
        "ColW": 3,
        "CountW": 3,
        "TileW": 2,
        "KStride": 3,
        "VStride": 2,
    },
    {
        "Rows": 8,
        "Cols": 2,
        "W": 4,
        "AddrW": 7,
        "SubW": 1,
        "GroupW": 2,
        "RowW": 3,
        "ColW": 1,
        "CountW": 2,
        "TileW": 4,
        "KStride": 4,
        "VStride": 3,
    },
    {
        "Rows": 6,
        "Cols": 2,
        "W": 3,
        "AddrW": 10,
        "SubW": 1,
        "GroupW": 2,
        "RowW": 3,
        "ColW": 1,
        "CountW": 3,
        "TileW": 5,
        "KStride": 7,
        "VStride": 5,
    },
    {
        "Rows": 2,
        "Cols": 8,
        "W": 6,
        "AddrW": 5,
        "SubW": 2,
        "GroupW": 1,
        "RowW": 1,
        "ColW": 3,
        "CountW": 4,
        "TileW": 2,
        "KStride": 1,
        "VStride": 1,
    },
    {
        "Rows": 3,
        "Cols": 3,
        "W": 16,
        "AddrW": 8,
        "SubW": 1,
        "GroupW": 1,
        "RowW": 2,
        "ColW": 2,
        "CountW": 6,
        "TileW": 3,
        "KStride": 6,
        "VStride": 9,
    },
)


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS))
def test_kv_writer(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("kv_writer", simulator, sim_build, parameters)


def test_kv_writer_checker_fails(sim_build: Path) -> None:
    check_fails("kv_writer", sim_build, SETS[0])
