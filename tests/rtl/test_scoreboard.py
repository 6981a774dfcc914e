"""Hazards: what has been written of every vector."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl

SETS = (
    {"Slots": 10, "SlotW": 4, "LenW": 6, "Events": 6},
    {"Slots": 12, "SlotW": 4, "LenW": 9, "Events": 5},
    {"Slots": 3, "SlotW": 2, "LenW": 3, "Events": 1},
    {"Slots": 16, "SlotW": 4, "LenW": 5, "Events": 2},
)


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS))
def test_scoreboard(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("scoreboard", simulator, sim_build, parameters)


def test_scoreboard_checker_fails(sim_build: Path) -> None:
    check_fails("scoreboard", sim_build, SETS[0])
