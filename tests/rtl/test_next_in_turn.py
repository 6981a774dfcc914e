"""The next bit that is set, in turn."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl

SETS = ({"N": 5, "W": 3}, {"N": 2, "W": 1}, {"N": 8, "W": 3})


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS))
def test_next_in_turn(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("next_in_turn", simulator, sim_build, parameters)


def test_next_in_turn_checker_fails(sim_build: Path) -> None:
    check_fails("next_in_turn", sim_build, SETS[0])
