"""Processing element: product and partial sum."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl

SETS = (
    {"ActW": 16, "WeightW": 8, "AccW": 32},
    {"ActW": 4, "WeightW": 3, "AccW": 9},
    {"ActW": 16, "WeightW": 8, "AccW": 24},
    {"ActW": 16, "WeightW": 16, "AccW": 48},
)


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS))
def test_pe(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("pe", simulator, sim_build, parameters)


def test_pe_checker_fails(sim_build: Path) -> None:
    check_fails("pe", sim_build, SETS[0])
