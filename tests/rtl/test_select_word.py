"""One of several words, by its number."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl

SETS = ({"N": 3, "W": 7, "IndexW": 2}, {"N": 8, "W": 1, "IndexW": 3})


@pytest.mark.parametrize(("simulator", "parameters"), cases(*SETS))
def test_select_word(simulator: str, parameters: dict[str, int], sim_build: Path) -> None:
    simulate("select_word", simulator, sim_build, parameters)


def test_select_word_checker_fails(sim_build: Path) -> None:
    check_fails("select_word", sim_build, SETS[0])
