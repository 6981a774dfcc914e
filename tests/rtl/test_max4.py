"""Maximum of four: ties, and values that do not count."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl

SETS = ({"W": 2, "IndexW": 2},)


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS))
def test_max4(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("max4", simulator, sim_build, parameters)


def test_max4_checker_fails(sim_build: Path) -> None:
    check_fails("max4", sim_build, SETS[0])
