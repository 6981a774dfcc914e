"""The two loops of every step, stalled and not: one to four waves a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl

SETS = (
    {
        "StepW": 4,
        "TileW": 4,
        "CountW": 4,
        "OpWordW": 5,
        "SubW": 1,
        "AddrW": 9,
        "SlotW": 4,
        "LenW": 8,
        "Rows": 4,
        "Sub": 2,
    },
    {
        "StepW": 4,
        "TileW": 3,
        "CountW": 5,
        "OpWordW": 4,
        "SubW": 1,
        "AddrW": 6,
        "SlotW": 4,
        "LenW": 7,
        "Rows": 4,
        "Sub": 1,
    },
    {
        "StepW": 5,
        "TileW": 5,
        "CountW": 4,
        "OpWordW": 6,
        "SubW": 1,
        "AddrW": 12,
        "SlotW": 4,
        "LenW": 9,
        "Rows": 8,
        "Sub": 1,
    },
    {
        "StepW": 3,
        "TileW": 3,
        "CountW": 5,
        "OpWordW": 3,
        "SubW": 2,
        "AddrW": 4,
        "SlotW": 4,
        "LenW": 7,
        "Rows": 2,
        "Sub": 3,
    },
    {
        "StepW": 4,
        "TileW": 4,
        "CountW": 4,
        "OpWordW": 4,
        "SubW": 2,
        "AddrW": 7,
        "SlotW": 4,
        "LenW": 8,
        "Rows": 2,
        "Sub": 4,
    },
)


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS))
def test_sequencer(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("sequencer", simulator, sim_build, parameters)


def test_sequencer_checker_fails(sim_build: Path) -> None:
    check_fails("sequencer", sim_build, SETS[0])
