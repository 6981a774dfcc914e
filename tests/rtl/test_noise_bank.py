"""Noise of vocabularies, written value by value and read by tiles."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl

SETS = (
    {"C": 4, "Vocab": 10, "Tiles": 3, "NoiseW": 20, "TileW": 2, "Words": 6, "AddrW": 3},
    {"C": 6, "Vocab": 12, "Tiles": 2, "NoiseW": 19, "TileW": 1, "Words": 2, "AddrW": 1},
)


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS, slow=True))
def test_noise_bank(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("noise_bank", simulator, sim_build, parameters)


def test_noise_bank_checker_fails(sim_build: Path) -> None:
    check_fails("noise_bank", sim_build, SETS[0])
