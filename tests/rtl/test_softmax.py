"""Softmax: several heads in flight, idle or not, every tile edge, exact latencies."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl

SETS = (
    {"C": 16, "Tiles": 8, "Slots": 4, "FracBits": 5, "ProbBits": 12, "SumW": 19},
    {"C": 4, "Tiles": 8, "Slots": 2, "FracBits": 5, "ProbBits": 12, "SumW": 17},
    {"C": 4, "Tiles": 1, "Slots": 2, "FracBits": 2, "ProbBits": 15, "SumW": 17},
    {"C": 6, "Tiles": 3, "Slots": 3, "FracBits": 8, "ProbBits": 7, "SumW": 14, "RecipBits": 4},
    {"C": 2, "Tiles": 5, "Slots": 8, "FracBits": 4, "ProbBits": 6, "SumW": 10, "RecipBits": 8},
)


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS))
def test_softmax(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("softmax", simulator, sim_build, parameters)


def test_softmax_checker_fails(sim_build: Path) -> None:
    check_fails("softmax", sim_build, SETS[0])
