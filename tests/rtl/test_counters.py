"""Counters of what the cycles of requests are spent on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl

SETS = ({"W": 32}, {"W": 5})


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS))
def test_counters(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("counters", simulator, sim_build, parameters)


def test_counters_checker_fails(sim_build: Path) -> None:
    check_fails("counters", sim_build, SETS[0])
