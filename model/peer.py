"""PyTorch beside ours: the same model there, and how far its gradients are from ours.

Nothing here needs torch to be imported, only to be called: `pip install torch`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from configs.cli import UserError
from configs.schema import ModelConfig, TrainConfig

Array = np.ndarray


def build(config: ModelConfig, params: dict[str, Array], vocab_size: int) -> Any:
    """A `peer_model.Model` (float32, in training mode) with a copy of these weights."""
    try:
        import torch

        from model.peer_model import Model
    except ImportError:
        raise UserError("comparing with PyTorch needs it: pip install torch") from None
    module = Model(config, vocab_size)
    state = {name: torch.tensor(_turned(name, array)) for name, array in params.items()}
    module.load_state_dict(state)
    return module


def optimizer(module: Any, train: TrainConfig) -> Any:
    """Fused AdamW that decays the matrices only, as ours does."""
    import torch

    names = dict(module.named_parameters())
    vectors = {n for n, p in names.items() if p.ndim < 2 or n == "positions.weight"}
    groups = [
        {"params": [p for n, p in names.items() if n not in vectors]},
        {"params": [p for n, p in names.items() if n in vectors], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        groups,
        lr=train.learning_rate,
        betas=(train.beta1, train.beta2),
        weight_decay=train.weight_decay,
        fused=True,
    )


def loss_and_gradients(
    module: Any, tokens: Array, targets: Array, config: ModelConfig, **inputs: Array | None
) -> tuple[float, dict[str, Array]]:
    """As `transformer.loss_and_gradients`, by PyTorch; gradients under our names and shapes."""
    import torch

    given = {name: torch.from_numpy(a) for name, a in inputs.items() if a is not None}
    logits = module(torch.from_numpy(tokens), **given)
    loss = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1),
        torch.from_numpy(targets).flatten().long(),
        ignore_index=-1,
        label_smoothing=config.label_smoothing,
    )
    module.zero_grad()
    loss.backward()
    named = {n: _turned(n, p.grad.numpy()) for n, p in module.named_parameters()}
    return float(loss), named


def _turned(name: str, array: Array) -> Array:
    """Our matrix (in, out) as a Linear stores it, (out, in), and back; tables stay."""
    is_linear = array.ndim == 2 and name.startswith(("layers.", "encoder."))
    return np.ascontiguousarray(array.T) if is_linear else array
