"""One row of the array with its memories: one to four waves or tiles a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, layouts, simulate

pytestmark = pytest.mark.rtl

SETS = layouts(
    "Rows Cols Row ActW ProbW WeightW KvW AccW OpWords ProbWords OpWordW KvDepth AddrW KvAddrW "
    "RowW ColW",
    "2 4 1 16 12 8 8 27 5 4 3 6 5 3 1 2",
    "4 2 3 16 12 8 8 26 5 9 4 7 6 3 2 1",
    "2 6 0 9 6 4 7 20 4 3 2 5 4 3 1 3",
    "8 2 5 16 12 8 4 30 3 2 2 5 4 3 3 1",
    "6 2 2 12 11 5 9 24 3 2 2 8 3 3 3 1",
    "2 8 1 16 15 8 8 32 1 2 1 3 4 2 1 3",
    "3 3 0 16 12 2 16 40 6 5 3 4 4 2 2 2",
    "3 5 1 9 6 4 5 20 5 4 3 6 5 3 2 3",
    "5 2 3 9 6 4 5 20 5 4 3 6 5 3 3 1",
)


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS))
def test_systolic_row(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("systolic_row", simulator, sim_build, parameters)


def test_systolic_row_checker_fails(sim_build: Path) -> None:
    check_fails("systolic_row", sim_build, SETS[0])
