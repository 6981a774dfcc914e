"""What all tests share: the tiers, Hypothesis' settings, and where RTL tests build."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from configs import blas

blas.one_thread()

ROOT = Path(__file__).resolve().parent.parent

settings.register_profile("fixformer", deadline=None, print_blob=True)
settings.load_profile("fixformer")


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def sim_build() -> Path:
    """Where `sim.runner.run` builds in tests; kept, so that unchanged Verilog is built once."""
    return ROOT / "build" / "tests"
