"""Addresses of keys and values: one to four waves or tiles a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, layouts, simulate

pytestmark = pytest.mark.rtl

SETS = layouts(
    "Rows Cols W AddrW RowW ColW CountW TileW KStride VStride",
    "2 4 8 9 1 2 5 4 8 4",
    "4 2 8 8 2 1 4 5 16 8",
    "2 6 5 6 1 3 3 2 3 2",
    "8 2 4 7 3 1 2 4 4 3",
    "6 2 3 10 3 1 3 5 7 5",
    "2 8 6 5 1 3 4 2 1 1",
    "3 3 16 8 2 2 6 3 6 9",
    "3 5 6 9 2 3 5 4 7 5",
    "5 3 6 9 3 2 4 5 12 6",
    "4 6 5 8 2 3 4 4 5 4",
    "5 2 4 8 3 1 4 5 13 8",
)


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS))
def test_kv_writer(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("kv_writer", simulator, sim_build, parameters)


def test_kv_writer_checker_fails(sim_build: Path) -> None:
    check_fails("kv_writer", sim_build, SETS[0])
