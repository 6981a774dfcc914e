"""Optimizers on the flat parameter vector, learning rate schedules, clipping of the gradient.

An optimizer is a rule and the vectors that it remembers: it turns a gradient g and a rate into the
change of the parameters. Its state is all in `Optimizer.state`, so a saved run continues exactly.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from configs.schema import TrainConfig
from model.transformer import Params

Array = np.ndarray
State = dict[str, Array]
EPS = 1e-8


# -- rules: each leaves the change of the parameters, to be subtracted, in `work` -----------------
def sgd(g: Array, state: State, config: TrainConfig, rate: float, step: int, work: Array) -> None:
    """Gradient descent with momentum: m = momentum m + g; the change is rate m."""
    mean = state["mean"]
    mean *= config.momentum
    mean += g
    np.multiply(mean, rate, out=work)


def rmsprop(
    g: Array, state: State, config: TrainConfig, rate: float, step: int, work: Array
) -> None:
    """RMSprop (Hinton, lecture 6e): s follows g^2 with beta2; the change is rate g / sqrt(s)."""
    _follow_square(state["square"], g, config.beta2, work)
    np.sqrt(state["square"], out=work)
    work += EPS
    np.divide(g, work, out=work)
    work *= rate


def adam(g: Array, state: State, config: TrainConfig, rate: float, step: int, work: Array) -> None:
    """Adam (arXiv 1412.6980): m follows g with beta1, s follows g^2 with beta2, both corrected for
    their start at zero; the change is rate m / sqrt(s)."""
    mean, square = state["mean"], state["square"]
    mean += np.multiply(np.subtract(g, mean, out=work), 1 - config.beta1, work)
    _follow_square(square, g, config.beta2, work)
    correction1 = 1 - config.beta1 ** (step + 1)
    correction2 = math.sqrt(1 - config.beta2 ** (step + 1))
    np.sqrt(square, out=work)
    work += EPS * correction2
    np.divide(mean, work, out=work)
    work *= rate * correction2 / correction1


def _follow_square(square: Array, g: Array, beta: float, work: Array) -> None:
    """square = beta square + (1 - beta) g^2."""
    np.multiply(g, g, out=work)
    square += np.multiply(np.subtract(work, square, out=work), 1 - beta, work)


Rule = Callable[[Array, State, TrainConfig, float, int, Array], None]
RULES: dict[str, tuple[Rule, tuple[str, ...]]] = {  # and the names of what each one remembers
    "sgd": (sgd, ("mean",)),
    "rmsprop": (rmsprop, ("square",)),
    "adam": (adam, ("mean", "square")),
    "adamw": (adam, ("mean", "square")),
}


class Optimizer:
    """The rule that a config names, with its state: vectors as long as the parameters.

    Weight decay touches the matrices only. AdamW (arXiv 1711.05101) shrinks them directly; the
    others add weight_decay * weight to the gradient.
    """

    def __init__(self, params: Params, name: str) -> None:
        self.rule, remembers = RULES[name]
        self.decoupled = name == "adamw"
        self.state: State = {key: np.zeros_like(params.flat) for key in remembers}
        self._work = np.empty_like(params.flat)

    def update(self, params: Params, grads: Params, config: TrainConfig, step: int) -> None:
        """One step, `step` = 0, 1, ...; changes `params` (and `grads`, by coupled decay)."""
        rate = learning_rate(config, step)
        matrices = slice(params.n_matrices)
        if config.weight_decay and not self.decoupled:
            grads.flat[matrices] += config.weight_decay * params.flat[matrices]
        self.rule(grads.flat, self.state, config, rate, step, self._work)
        if self.decoupled:
            params.flat[matrices] *= 1 - rate * config.weight_decay
        params.flat -= self._work


# -- the rate, and the length of a step ----------------------------------------------------------
def learning_rate(config: TrainConfig, step: int) -> float:
    """Linear warm-up to `learning_rate`, then the schedule, which ends at `min_learning_rate`.

    constant: stays. cosine: half a wave down. step: times `decay` every `decay_every` steps.
    exponential: the same, but smoothly.
    """
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / (config.warmup_steps + 1)
    step -= config.warmup_steps
    if config.schedule == "constant":
        return config.learning_rate
    if config.schedule == "cosine":
        part = step / max(config.steps - config.warmup_steps, 1)
        span = config.learning_rate - config.min_learning_rate
        return config.min_learning_rate + span * 0.5 * (1 + math.cos(math.pi * min(part, 1.0)))
    periods = step / config.decay_every
    if config.schedule == "step":
        periods = math.floor(periods)
    return max(config.learning_rate * config.decay**periods, config.min_learning_rate)


def clip(gradient: Array, limit: float) -> float:
    """Scale `gradient` in place so that its norm is at most `limit`; returns the norm before."""
    norm = math.sqrt(float(gradient @ gradient))
    if norm > limit:
        gradient *= limit / norm
    return norm
