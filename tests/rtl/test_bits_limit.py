"""The limit of an integer of any width."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl

SETS = ({"W": 15}, {"W": 4}, {"W": 29})


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS))
def test_bits_limit(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("bits_limit", simulator, sim_build, parameters)


def test_bits_limit_checker_fails(sim_build: Path) -> None:
    check_fails("bits_limit", sim_build, SETS[0])
