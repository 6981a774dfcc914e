"""KV cache of one row: one to four waves or tiles a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, layouts, simulate

pytestmark = pytest.mark.rtl

SETS = layouts(
    "Rows Cols Row W Depth AddrW RowW ColW",
    "2 4 1 8 6 3 1 2",
    "4 2 3 8 5 3 2 1",
    "4 2 1 4 5 3 2 1",
    "2 6 0 3 4 2 1 3",
    "8 2 5 9 3 2 3 1",
    "6 2 2 5 3 2 3 1",
    "2 8 1 6 2 1 1 3",
    "3 3 2 16 4 2 2 2",
    "3 5 1 8 6 3 2 3",
    "5 3 4 8 6 3 3 2",
    "4 6 2 4 5 3 2 3",
    "5 2 2 6 4 2 3 1",
)


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS))
def test_kv_bank(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("kv_bank", simulator, sim_build, parameters)


def test_kv_bank_checker_fails(sim_build: Path) -> None:
    check_fails("kv_bank", sim_build, SETS[0])
