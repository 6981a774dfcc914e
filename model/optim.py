"""AdamW on the flat parameter vector: warm-up, cosine decay, clipping of the gradient's norm."""

from __future__ import annotations

import math

import numpy as np

from configs.schema import TrainConfig
from model.transformer import Params

EPS = 1e-8


class AdamW:
    """State of AdamW (arXiv 1711.05101); the decay touches the matrices only."""

    def __init__(self, params: Params) -> None:
        self.mean = np.zeros_like(params.flat)
        self.square = np.zeros_like(params.flat)
        self._work = np.empty_like(params.flat)

    def update(self, params: Params, grads: Params, config: TrainConfig, step: int) -> None:
        """One step, `step` = 0, 1, ...; changes `params` and, by clipping, `grads`."""
        rate = learning_rate(config, step)
        gradient, work = grads.flat, self._work
        clip(gradient, config.clip)
        self.mean += np.multiply(np.subtract(gradient, self.mean, out=work), 1 - config.beta1, work)
        np.multiply(gradient, gradient, out=work)
        self.square += np.multiply(np.subtract(work, self.square, out=work), 1 - config.beta2, work)
        correction1 = 1 - config.beta1 ** (step + 1)
        correction2 = math.sqrt(1 - config.beta2 ** (step + 1))
        np.sqrt(self.square, out=work)
        work += EPS * correction2
        np.divide(self.mean, work, out=work)
        work *= rate * correction2 / correction1
        params.flat[: params.n_matrices] *= 1 - rate * config.weight_decay
        params.flat -= work


def learning_rate(config: TrainConfig, step: int) -> float:
    """Linear warm-up, then a half cosine from `learning_rate` to `min_learning_rate`."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / (config.warmup_steps + 1)
    part = (step - config.warmup_steps) / max(config.steps - config.warmup_steps, 1)
    span = config.learning_rate - config.min_learning_rate
    return config.min_learning_rate + span * 0.5 * (1 + math.cos(math.pi * min(part, 1.0)))


def clip(gradient: np.ndarray, limit: float) -> float:
    """Scale `gradient` in place so that its norm is at most `limit`; returns the norm before."""
    norm = math.sqrt(float(gradient @ gradient))
    if norm > limit:
        gradient *= limit / norm
    return norm
