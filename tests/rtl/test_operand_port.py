"""One write port of the operand memories for three sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl

SETS = (
    {"Lanes": 4, "W": 8, "CtxW": 1, "WordW": 3, "GroupW": 1},
    {"Lanes": 3, "W": 16, "CtxW": 3, "WordW": 6, "GroupW": 2},
)


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS))
def test_operand_port(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("operand_port", simulator, sim_build, parameters)


def test_operand_port_checker_fails(sim_build: Path) -> None:
    check_fails("operand_port", sim_build, SETS[0])
