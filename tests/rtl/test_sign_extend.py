"""Two's complement widening."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl

SETS = (
    {"InW": 8, "OutW": 12},
    {"InW": 1, "OutW": 3},
    {"InW": 6, "OutW": 6},
    {"InW": 24, "OutW": 40},
)


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS))
def test_sign_extend(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("sign_extend", simulator, sim_build, parameters)


def test_sign_extend_checker_fails(sim_build: Path) -> None:
    check_fails("sign_extend", sim_build, SETS[0])
