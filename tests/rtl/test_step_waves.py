"""The two loops of one step."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate
from tests.rtl.test_sequencer import SETS

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(("simulator", "parameters"), cases(SETS[0], SETS[2], SETS[3], slow=True))
def test_step_waves(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("step_waves", simulator, sim_build, parameters)


def test_step_waves_checker_fails(sim_build: Path) -> None:
    check_fails("step_waves", sim_build, SETS[0])
