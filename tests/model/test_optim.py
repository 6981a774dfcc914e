"""Optimizers and schedules against their published formulas, in float64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from configs import schema
from configs.schema import TrainConfig
from model import optim, transformer

DECAY = 0.2


def sgd(g: np.ndarray, past: list[np.ndarray]) -> np.ndarray:
    """The change at rate 1, from all gradients so far: the sum of momentum^age * gradient."""
    return sum(0.9**age * one for age, one in enumerate(reversed(past)))


def rmsprop(g: np.ndarray, past: list[np.ndarray]) -> np.ndarray:
    square = sum(0.01 * 0.99**age * one**2 for age, one in enumerate(reversed(past)))
    return g / (np.sqrt(square) + optim.EPS)


def adam(g: np.ndarray, past: list[np.ndarray]) -> np.ndarray:
    mean = sum(0.1 * 0.9**age * one for age, one in enumerate(reversed(past)))
    square = sum(0.01 * 0.99**age * one**2 for age, one in enumerate(reversed(past)))
    mean, square = mean / (1 - 0.9 ** len(past)), square / (1 - 0.99 ** len(past))
    return mean / (np.sqrt(square) + optim.EPS)


@pytest.mark.parametrize(
    ("name", "rule"), [("sgd", sgd), ("rmsprop", rmsprop), ("adam", adam), ("adamw", adam)]
)
@pytest.mark.parametrize("seed", [3, 4])
def test_optimizers_by_definition(name: str, rule: Callable, seed: int) -> None:
    """Five steps; the first six parameters are a matrix and decay, the other three are a gain."""
    config = TrainConfig(
        steps=10, warmup_steps=2, weight_decay=DECAY, clip=0.5, learning_rate=0.1, optimizer=name
    )
    rng = np.random.default_rng(seed)
    shapes = {"m.weight": (2, 3), "n_norm.weight": (3,)}
    params = transformer.Params(rng.normal(size=9), shapes)
    decays = DECAY * (np.arange(9) < 6)
    expected, past = params.flat.copy(), []
    optimizer = optim.Optimizer(params, name)
    for step in range(5):
        grads = transformer.Params(rng.normal(size=9), shapes)
        g = grads.flat / max(1.0, np.linalg.norm(grads.flat) / 0.5)
        rate = optim.learning_rate(config, step)
        past.append(g if name == "adamw" else g + decays * expected)
        if name == "adamw":
            expected *= 1 - rate * decays
        expected -= rate * rule(past[-1], past)
        optim.clip(grads.flat, config.clip)
        optimizer.update(params, grads, config, step)
        np.testing.assert_allclose(params.flat, expected, rtol=1e-10, err_msg=f"step {step}")


def rates(schedule: str, **settings: float) -> np.ndarray:
    config = TrainConfig(
        steps=100,
        warmup_steps=9,
        learning_rate=1.0,
        min_learning_rate=0.1,
        schedule=schedule,
        decay_every=20,
        **settings,
    )
    return np.array([optim.learning_rate(config, step) for step in range(100)])


@pytest.mark.parametrize("schedule", ["constant", "step", "exponential", "cosine"])
def test_every_schedule_warms_up(schedule: str) -> None:
    np.testing.assert_allclose(rates(schedule)[:10], np.arange(1, 11) / 10)


def test_schedules() -> None:
    cosine = rates("cosine")
    assert all(np.diff(cosine[9:]) < 0)
    assert cosine[-1] == pytest.approx(0.1, abs=1e-3)
    assert set(rates("constant")[9:]) == {1.0}
    assert list(rates("step")[[9, 28, 29, 48, 49, 69, 99]]) == [1, 1, 0.5, 0.5, 0.25, 0.125, 0.1]
    smooth = rates("exponential")
    np.testing.assert_allclose(smooth[9:70:20], [1, 0.5, 0.25, 0.125])
    np.testing.assert_allclose(smooth[10:70] / smooth[9:69], 0.5 ** (1 / 20))
    assert smooth[-1] == 0.1


@pytest.mark.parametrize(
    "values",
    [
        {"optimizer": "lion"},
        {"schedule": "linear"},
        {"momentum": 1.0},
        {"decay": 1.5},
        {"decay_every": 0},
        {"accumulate": 0},
        {"patience": 0},
        {"sample_tokens": -1},
        {"learning_rate": float("inf")},
        {"learning_rate": 1e-5, "min_learning_rate": 1e-4},
    ],
)
def test_bad_values_get_one_line_that_names_them(values: dict) -> None:
    with pytest.raises(schema.ConfigError, match=next(iter(values))) as caught:
        schema.parse("mine", {"train": values})
    assert "\n" not in str(caught.value)
