"""Sampler: argmax of logit plus noise, the lowest of equals."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl

SETS = (
    {"C": 16, "Vocab": 70},
    {"C": 4, "Vocab": 8},
    {"C": 4, "Vocab": 3},
    {"C": 6, "Vocab": 20, "NoiseW": 19},
)


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS))
def test_sampler(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("sampler", simulator, sim_build, parameters)


def test_sampler_checker_fails(sim_build: Path) -> None:
    check_fails("sampler", sim_build, SETS[0])
