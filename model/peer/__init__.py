"""PyTorch beside ours: the same model there, and how far its gradients are from ours.

Nothing here needs torch to be imported, only to be called: `pip install torch`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, get_args

import numpy as np

from configs.cli import UserError
from configs.schema import ModelConfig, TrainConfig
from model import transformer
from model.params import EMBED_STD

Array = np.ndarray
NEEDED = "comparing with PyTorch needs it: pip install torch"


def build(config: ModelConfig, params: dict[str, Array], vocab_size: int) -> Any:
    """A `model.Model` (float32, in training mode) with a copy of these weights."""
    try:
        import torch

        from model.peer.model import Model
    except ImportError:
        raise UserError(NEEDED) from None
    module = Model(config, vocab_size)
    state = {name: torch.tensor(turned(name, array)) for name, array in params.items()}
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
    named = {n: turned(n, p.grad.numpy()) for n, p in module.named_parameters()}
    return float(loss.detach()), named


def relative_error(ours: dict[str, Array], theirs: dict[str, Array]) -> float:
    """Of all tensors, the largest difference to theirs, as a part of its tensor's largest value."""
    if ours.keys() != theirs.keys():
        raise ValueError(f"other tensors: {sorted(ours.keys() ^ theirs.keys())}")
    parts = [np.abs(ours[n] - theirs[n]).max() / np.abs(theirs[n]).max() for n in theirs]
    return float(np.max(parts))  # NaN if any is


def covering() -> Iterator[ModelConfig]:
    """Small models of every kind in which every layer and option occurs, most of them together."""
    size: dict[str, Any] = {"d_model": 32, "n_heads": 4, "n_layers": 2, "d_ff": 48, "context": 40}
    for kind, (index, activation) in itertools.product(
        get_args(ModelConfig.model_fields["kind"].annotation),
        enumerate(get_args(ModelConfig.model_fields["activation"].annotation)),
    ):
        for norm, where in itertools.product(("layernorm", "rmsnorm"), ("pre", "post")):
            index += 1
            options = {
                "kind": kind,
                "activation": activation,
                "norm": norm,
                "norm_position": where,
                "positions": ("learned", "sinusoidal", "rotary")[index % 3],
                "n_kv_heads": (None, 2, 1)[index // 2 % 3],
                "tied_head": index % 2 == 0,
                "bias": index % 4 < 2,
                "label_smoothing": (0.0, 0.1)[index // 3 % 2],
            }
            yield ModelConfig(**size, **options)


def gradient_error(seed: int = 1) -> float:
    """Largest relative difference of the gradients of all `covering` models, in float32."""
    rng, vocab, shape = np.random.default_rng(seed), 13, (3, 38)
    errors: list[float] = []
    for config in covering():
        params = transformer.init(config, vocab, rng)
        params["embed.weight"] *= 1 / EMBED_STD  # tokens that differ enough to attend to
        for array in params.values():
            array += rng.normal(0, 0.1, array.shape)
        tokens, targets = rng.integers(0, vocab, shape), rng.integers(-1, vocab, shape)
        inputs: dict[str, Any] = {}
        if len(errors) % 2:
            inputs["mask"] = np.arange(shape[1]) < np.array([[38], [20], [1]])
        if config.kind == "encoder-decoder":
            inputs["source"] = rng.integers(0, vocab, (3, 9))
            if len(errors) % 2:
                inputs["source_mask"] = np.arange(9) < np.array([[4], [9], [2]])
        grads = params.like()
        transformer.loss_and_gradients(params, tokens, targets, config, grads, **inputs)
        module = build(config, params, vocab)
        _, theirs = loss_and_gradients(module, tokens, targets, config, **inputs)
        errors.append(relative_error(grads, theirs))
    return float(np.max(errors))


def import_error(seed: int = 1) -> float:
    """Largest difference of the logits of imported models, of every layout (`layouts.py`)."""
    try:
        from model.peer.layouts import errors
    except ImportError:
        raise UserError(NEEDED) from None
    return float(np.max(list(errors(seed).values())))


def turned(name: str, array: Array) -> Array:
    """Our matrix (in, out) as a Linear stores it, (out, in), and back; tables stay."""
    is_linear = array.ndim == 2 and name.startswith(("layers.", "encoder."))
    return np.ascontiguousarray(array.T) if is_linear else array
