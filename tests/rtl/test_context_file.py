"""A word for each context."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl

SETS = (
    {"W": 9, "Words": 3, "AddrW": 2},
    {"W": 1, "Words": 2, "AddrW": 1},
    {"W": 40, "Words": 8, "AddrW": 3},
)


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS, slow=True))
def test_context_file(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("context_file", simulator, sim_build, parameters)


def test_context_file_checker_fails(sim_build: Path) -> None:
    check_fails("context_file", sim_build, SETS[0])
