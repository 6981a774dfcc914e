"""Leading one and the bits after it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl

SETS = (
    {"W": 40, "FracW": 7},
    {"W": 9, "FracW": 6},
    {"W": 32, "FracW": 6},
)


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS))
def test_normalize(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("normalize", simulator, sim_build, parameters)


def test_normalize_checker_fails(sim_build: Path) -> None:
    check_fails("normalize", sim_build, SETS[0])
