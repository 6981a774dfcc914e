"""Noise of several streams: the queue of draws, a generator for each stream."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl

SETS = (
    {"Streams": 3, "CtxW": 2, "C": 4, "Vocab": 10},
    {"Streams": 2, "CtxW": 1, "C": 6, "Vocab": 20, "NoiseW": 19},
)


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS, slow=True))
def test_noise_streams(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("noise_streams", simulator, sim_build, parameters)


def test_noise_streams_checker_fails(sim_build: Path) -> None:
    check_fails("noise_streams", sim_build, SETS[0])
