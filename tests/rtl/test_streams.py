"""Several controllers and the contexts that they share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate
from tests.rtl.test_controller import SETS as CONTROLLERS

pytestmark = pytest.mark.rtl

SETS = (
    CONTROLLERS[0] | {"Streams": 3, "CtxW": 2},
    CONTROLLERS[3] | {"Streams": 2, "CtxW": 1},
)
LARGE = CONTROLLERS[4] | {"Streams": 8, "CtxW": 3}


@pytest.mark.parametrize(("simulator", "values"), cases(*SETS, slow=True))
def test_streams(simulator: str, values: dict[str, int], sim_build: Path) -> None:
    simulate("streams", simulator, sim_build, values)


@pytest.mark.slow
def test_streams_of_eight(sim_build: Path) -> None:
    simulate("streams", "icarus", sim_build, LARGE)


def test_streams_checker_fails(sim_build: Path) -> None:
    check_fails("streams", sim_build, SETS[1])
