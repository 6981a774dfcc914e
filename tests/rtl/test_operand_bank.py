"""Operand memory of one row: one to four waves or tiles a word."""

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
        "ZeroFill": 0,
        "W": 16,
        "Words": 6,
        "WordW": 3,
        "SubW": 1,
        "GroupW": 1,
    },
    {
        "Rows": 4,
        "Cols": 2,
        "Row": 3,
        "ZeroFill": 1,
        "W": 12,
        "Words": 5,
        "WordW": 3,
        "SubW": 1,
        "GroupW": 1,
    },
    {
        "Rows": 4,
        "Cols": 2,
        "Row": 1,
        "ZeroFill": 1,
        "W": 12,
        "Words": 5,
        "WordW": 3,
        "SubW": 1,
        "GroupW": 1,
    },
    {
        "Rows": 2,
        "Cols": 6,
        "Row": 0,
        "ZeroFill": 1,
        "W": 3,
        "Words": 4,
        "WordW": 2,
        "SubW": 2,
        "GroupW": 1,
    },
    {
        "Rows": 8,
        "Cols": 2,
        "Row": 5,
        "ZeroFill": 0,
        "W": 4,
        "Words": 3,
        "WordW": 2,
        "SubW": 1,
        "GroupW": 2,
    },
    {
        "Rows": 6,
        "Cols": 2,
        "Row": 2,
        "ZeroFill": 1,
        "W": 5,
        "Words": 3,
        "WordW": 2,
        "SubW": 1,
        "GroupW": 2,
    },
    {
        "Rows": 2,
        "Cols": 8,
        "Row": 1,
        "ZeroFill": 0,
        "W": 7,
        "Words": 1,
        "WordW": 1,
        "SubW": 2,
        "GroupW": 1,
    },
    {
        "Rows": 3,
        "Cols": 3,
        "Row": 2,
        "ZeroFill": 0,
        "W": 8,
        "Words": 4,
        "WordW": 2,
        "SubW": 1,
        "GroupW": 1,
    },
)


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS))
def test_operand_bank(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("operand_bank", simulator, sim_build, parameters)


def test_operand_bank_checker_fails(sim_build: Path) -> None:
    check_fails("operand_bank", sim_build, SETS[0])
