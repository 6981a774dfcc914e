"""Maximum tree: first of equals, any number of lanes present."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl

SETS = (
    {"N": 16, "W": 16},
    {"N": 2, "W": 3},
    {"N": 6, "W": 4},
    {"N": 17, "W": 21},
)


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS))
def test_max_tree(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("max_tree", simulator, sim_build, parameters)


def test_max_tree_checker_fails(sim_build: Path) -> None:
    check_fails("max_tree", sim_build, SETS[0])
