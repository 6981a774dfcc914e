"""Noise: seeding, draws in order, temperatures, requests that come while it is busy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl

SETS = (
    {"C": 16, "Vocab": 70},
    {"C": 4, "Vocab": 5},
    {"C": 6, "Vocab": 20, "NoiseW": 19},
    {"C": 4, "Vocab": 3},
)


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS))
def test_noise(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("noise", simulator, sim_build, parameters)


def test_noise_checker_fails(sim_build: Path) -> None:
    check_fails("noise", sim_build, SETS[0])
