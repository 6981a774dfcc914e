"""Turns of contexts, order of layers, sticky steps, softmax spacing: the rule of the scheduler."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl


def parameters(contexts: int, rows: int, sub: int, layer_w: int) -> dict[str, int]:
    """The widths of a small machine."""
    widths = {"Contexts": contexts, "CtxW": max(1, (contexts - 1).bit_length()), "LayerW": layer_w}
    widths |= {"SlotX": 2, "Slots": 12, "SlotW": 4, "StepW": 6, "TileW": 4, "CountW": 4}
    widths |= {"OpWordW": 5, "SubW": max(1, (sub - 1).bit_length()), "AddrW": 9, "LenW": 8}
    return widths | {"Rows": rows, "Sub": sub}


SETS = (parameters(4, 4, 2, 2), parameters(2, 8, 1, 1))
LARGE = (parameters(3, 2, 3, 2), parameters(8, 4, 1, 3))


@pytest.mark.parametrize(("simulator", "values"), cases(*SETS))
def test_scheduler(simulator: str, values: dict[str, int], sim_build: Path) -> None:
    simulate("scheduler", simulator, sim_build, values)


@pytest.mark.slow
@pytest.mark.parametrize(("simulator", "values"), cases(*LARGE, verilator=2))
def test_scheduler_of_more(simulator: str, values: dict[str, int], sim_build: Path) -> None:
    simulate("scheduler", simulator, sim_build, values)


def test_scheduler_checker_fails(sim_build: Path) -> None:
    check_fails("scheduler", sim_build, SETS[0])
