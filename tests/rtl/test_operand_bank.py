"""Operand memory of one row: one to four waves or tiles a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, layouts, simulate

pytestmark = pytest.mark.rtl

SETS = layouts(
    "Rows Cols Row ZeroFill W Words WordW",
    "2 4 1 0 16 6 3",
    "4 2 3 1 12 5 3",
    "4 2 1 1 12 5 3",
    "2 6 0 1 3 4 2",
    "8 2 5 0 4 3 2",
    "6 2 2 1 5 3 2",
    "2 8 1 0 7 1 1",
    "3 3 2 0 8 4 2",
    "3 5 1 1 12 4 2",
    "5 3 4 1 12 4 2",
    "4 6 3 0 5 3 2",
    "5 2 2 1 16 3 2",
)


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS))
def test_operand_bank(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("operand_bank", simulator, sim_build, parameters)


def test_operand_bank_checker_fails(sim_build: Path) -> None:
    check_fails("operand_bank", sim_build, SETS[0])
