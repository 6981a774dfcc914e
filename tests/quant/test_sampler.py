"""The hardware's sampler draws from softmax(logits / T): chi-square against exact probabilities."""

from __future__ import annotations

import math

import numpy as np
import pytest

from quant import ops, tables
from quant.sampler import NoiseSource

SEED = 4
DRAWS = 40_000
LOGIT_FRAC = 10
LOGITS = [2.0, 1.0, 1.0, 0.25, 0.0, -0.5, -1.0, -3.0]
LIMIT = 24.32  # chi-square of 7 degrees of freedom exceeds it once in 1000 honest runs


def draw(temperature: float, seed: int = SEED, gumbel: np.ndarray | None = None) -> np.ndarray:
    """How often each of LOGITS wins."""
    logits = np.array([round(value * 2**LOGIT_FRAC) for value in LOGITS])
    source = NoiseSource(tables.gumbel_table() if gumbel is None else gumbel, len(logits))
    register, state = round(temperature * 2 ** (LOGIT_FRAC + 2)), ops.seed_state(seed)
    counts = np.zeros(len(logits))
    for _ in range(DRAWS):
        noise, state = source.draw(state, register)
        counts[ops.argmax(logits + noise)] += 1
    return counts


def chi_square(counts: np.ndarray, temperature: float) -> float:
    weights = [math.exp(value / temperature) for value in LOGITS]
    expected = np.array(weights) / sum(weights) * DRAWS
    return float(((counts - expected) ** 2 / expected).sum())


@pytest.mark.parametrize("temperature", [1.0, 0.7, 2.5])
def test_frequencies_follow_the_softmax(temperature: float) -> None:
    statistic = chi_square(draw(temperature), temperature)
    assert statistic < LIMIT, f"seed {SEED}: chi-square {statistic:.1f}"


def test_another_temperature_is_noticed() -> None:
    assert chi_square(draw(1.0), 1.1) > LIMIT


def test_a_broken_table_is_noticed() -> None:
    gumbel = tables.gumbel_table().reshape(16, 64)
    gumbel[0] = gumbel[1]
    assert chi_square(draw(1.0, gumbel=gumbel.reshape(-1)), 1.0) > LIMIT


def test_seeds_give_different_draws_and_one_seed_the_same() -> None:
    gumbel = tables.gumbel_table()
    first, _ = ops.draw_noise(ops.seed_state(1), 50, gumbel, 4096)
    again, _ = ops.draw_noise(ops.seed_state(1), 50, gumbel, 4096)
    other, _ = ops.draw_noise(ops.seed_state(2), 50, gumbel, 4096)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not ops.draw_noise(ops.seed_state(1), 50, gumbel, 0)[0].any()
