"""Complete vectors of every context."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl

SETS = (
    {"Contexts": 3, "CtxW": 2, "Slots": 12, "SlotW": 4, "HeadW": 2},
    {"Contexts": 2, "CtxW": 1, "Slots": 9, "SlotW": 4, "HeadW": 1},
    {"Contexts": 8, "CtxW": 3, "Slots": 16, "SlotW": 4, "HeadW": 3},
)


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS, slow=True))
def test_completion(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("completion", simulator, sim_build, parameters)


def test_completion_checker_fails(sim_build: Path) -> None:
    check_fails("completion", sim_build, SETS[0])
