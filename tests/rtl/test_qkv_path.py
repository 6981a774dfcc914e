"""Queries, keys and values on their way: rotated, or not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl.modules import cases, check_fails, simulate

pytestmark = pytest.mark.rtl


def parameters(cols: int, passes: int, period: int, rope: int) -> dict[str, int]:
    """The widths of a small machine."""
    widths = {"Cols": cols, "CtxW": 2, "TileW": 4, "MarksW": 11, "Rope": rope, "PosW": 5}
    widths |= {"RopePasses": passes, "RopeLatency": (passes + 5) * rope, "RopePeriod": period}
    period_w = max(1, (period - 1).bit_length())
    return widths | {"RopePeriodW": period_w, "RopeAddrW": ((period << 5) - 1).bit_length()}


SETS = (parameters(4, 2, 3, 1), parameters(4, 1, 1, 1), parameters(4, 1, 1, 0))


@pytest.mark.parametrize(("simulator", "values"), cases(*SETS, slow=True))
def test_qkv_path(simulator: str, values: dict[str, int], sim_build: Path) -> None:
    simulate("qkv_path", simulator, sim_build, values)


def test_qkv_path_checker_fails(sim_build: Path) -> None:
    check_fails("qkv_path", sim_build, SETS[0])
