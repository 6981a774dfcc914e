"""Adder tree: exact sums of any number of values."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl

SETS = (
    {"N": 16, "W": 12, "OutW": 16},
    {"N": 1, "W": 4, "OutW": 9},
    {"N": 5, "W": 31, "OutW": 34},
)


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS))
def test_adder_tree(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("adder_tree", simulator, sim_build, parameters)


def test_adder_tree_checker_fails(sim_build: Path) -> None:
    check_fails("adder_tree", sim_build, SETS[0])
