"""Two simulations never work in one folder at the same time."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs.cli import UserError
from sim import core


def test_second_simulation_is_refused(tmp_path: Path) -> None:
    refused = pytest.raises(UserError, match="another simulation")
    with core._alone(tmp_path), refused, core._alone(tmp_path):
        pass
    with core._alone(tmp_path):
        pass
