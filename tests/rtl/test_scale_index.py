"""Index times a constant."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl

SETS = (
    {"InW": 7, "OutW": 10, "Factor": 6},
    {"InW": 3, "OutW": 3, "Factor": 1},
)


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS))
def test_scale_index(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("scale_index", simulator, sim_build, parameters)


def test_scale_index_checker_fails(sim_build: Path) -> None:
    check_fails("scale_index", sim_build, SETS[0])
