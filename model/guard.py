"""Finds the first tensor that is not finite, when a training blows up or `--debug` looks.

The order is that of a training step: parameters, the stages of the forward pass, gradients from
the head back to the embedding.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from configs.cli import UserError
from configs.schema import Config
from model import transformer
from model.tasks import Batch
from model.transformer import Params

GROUPS = ("embed", "positions", "layers", "final_norm", "head")
PARTS = (
    *("attn_norm", "qkv", "attn_proj"),
    *("cross_norm", "cross_q", "cross_kv", "cross_proj"),
    *("ffn_norm", "ffn_up", "ffn_down"),
)


def first_bad(tensors: Mapping[str, np.ndarray]) -> str | None:
    """Name and kind of the first tensor with a NaN or an infinity; masked scores may be -inf."""
    for name, array in tensors.items():
        values = (
            array[array != -np.inf] if name.endswith(("attn_scores", "cross_scores")) else array
        )
        good = np.isfinite(values)
        if not good.all():
            return f"{name} (holds {values[~good].flat[0]})"
    return None


def locate(params: Params, batch: Batch, config: Config, grads: Params) -> str | None:
    """The first tensor of the step that is not finite: a parameter, a stage, or a gradient."""
    stages: dict[str, np.ndarray] = {}
    if bad := first_bad(params):
        return f"parameter {bad}"
    transformer.forward(params, batch.tokens, config.model, stages, **batch.inputs)
    if bad := first_bad(stages):
        return f"stage {bad}"
    bad = first_bad({name: grads[name] for name in sorted(grads, key=_place, reverse=True)})
    return f"gradient of {bad}" if bad else None


def _place(name: str) -> tuple[int, int, int, int]:
    """Sorts the names of parameters in the order in which the forward pass meets them."""
    encoder = name.startswith("encoder.")
    group, *rest = name.removeprefix("encoder.").split(".")
    layer, part = (int(rest[0]), PARTS.index(rest[1])) if group == "layers" else (0, 0)
    stack = 0 if group in GROUPS[:2] else 1 if encoder else 2
    return stack, GROUPS.index(group), layer, part


def check(
    loss: float,
    params: Params,
    batch: Batch,
    config: Config,
    grads: Params,
    step: int,
    debug: bool,
) -> None:
    """UserError when loss or gradient of a batch are not finite; with `debug`, also when any
    parameter or stage is not."""
    length = float(grads.flat @ grads.flat)
    sound = math.isfinite(loss) and math.isfinite(length)
    if sound and not debug:
        return
    bad = locate(params, batch, config, grads)
    if bad or not sound:
        raise blame(bad or f"the loss ({loss}) or the gradient's norm ({length})", step, config)


def blame(what: str, step: int, config: Config) -> UserError:
    """The error of a training that left the finite numbers."""
    settings = config.train
    return UserError(
        f"not finite at step {step}: {what}; make train.learning_rate smaller "
        f"({settings.learning_rate} now), or train.clip ({settings.clip} now), and train again"
    )
