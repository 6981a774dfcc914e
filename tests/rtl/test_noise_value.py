"""Noise of one random number."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl

SETS = (
    {"NoiseW": 20},
    {"NoiseW": 19},
)


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS, slow=True))
def test_noise_value(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("noise_value", simulator, sim_build, parameters)


def test_noise_value_checker_fails(sim_build: Path) -> None:
    check_fails("noise_value", sim_build, SETS[0])
