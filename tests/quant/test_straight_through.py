"""The backward of the integer model against differences of the folded float model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from model.tasks import Batch
from quant import qat, straight_through
from quant.fold import Folded, FoldedLinear
from quant.folded import forward, visible_keys
from quant.straight_through import Values
from tests.quant.helpers import small
from tests.quant.qat_models import KINDS, TOKENS, VOCAB, batch_for, prepared


def arrays(folded: Folded) -> dict[str, np.ndarray]:
    """The parameters of a folded model by the names of their gradients."""
    named = {"embed_tok": folded.embed_tok}
    if folded.embed_pos is not None:
        named["embed_pos"] = folded.embed_pos
    parts = {}
    for prefix, layer in folded.named_layers():
        owners = [(prefix, layer), (prefix + "cross_", layer.cross)]
        for name, owner in owners:
            linears = {} if owner is None else vars(owner)
            found = {n: one for n, one in linears.items() if isinstance(one, FoldedLinear)}
            parts |= {name + part: linear for part, linear in found.items()}
    for name, linear in (parts | {"head": folded.head}).items():
        named |= {f"{name}.weight": linear.weight, f"{name}.bias": linear.bias}
    return named


def float_values(folded: Folded, batch: Batch) -> Values:
    """What the backward reads, from the float forward in float64."""
    stages: dict[str, np.ndarray] = {}

    def note(stage: str, value: np.ndarray) -> np.ndarray:
        stages[stage] = value
        return value

    forward(folded, batch.tokens, note, **batch.inputs)
    for name in [name for name in stages if name.endswith("_probs")]:
        keys = stages[name.replace("attn_probs", "k").replace("cross_probs", "cross_k")].shape[1]
        b, h, t, _ = stages[name.replace("_probs", "_out.acc")].shape
        causal = name.endswith("attn_probs") and not name.startswith("encoder")
        causal = causal and folded.config.kind != "encoder"
        probs = np.zeros((b, h, t, keys))
        probs[..., visible_keys(t, keys, None, causal)] = stages[name]
        probs /= probs.sum(axis=-1, keepdims=True)
        stages[name] = probs.swapaxes(1, 2)
    named = arrays(folded)

    def all_of(kind: str) -> dict[str, np.ndarray]:
        return {n.removesuffix(kind): value for n, value in named.items() if n.endswith(kind)}

    return Values(stages, all_of(".weight"), all_of(".bias"), folded.eps)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(map(str, kind.values())))
def test_gradients_are_those_of_the_float_graph(kind: dict) -> None:
    """Against differences of the folded model in float64, for every parameter it has."""
    config = small(n_heads=2, **kind)
    folded, _ = prepared(config)
    batch, rng = batch_for(config), np.random.default_rng(1)
    wanted = rng.normal(size=(*TOKENS.shape, VOCAB))

    def measured() -> tuple[float, np.ndarray]:
        logits = forward(folded, TOKENS, **batch.inputs)
        return qat.divergence(qat.lesson(batch, wanted), logits)

    def loss() -> float:
        return measured()[0]

    _, dlogits = measured()
    values = float_values(folded, batch)
    found = straight_through.backward(values, TOKENS, dlogits, config.model, VOCAB, batch.source)
    named = arrays(folded)
    assert set(found) == set(named)
    for name, array in named.items():
        direction = rng.normal(size=array.shape)
        expected = slope(loss, array, direction)
        assert np.sum(found[name] * direction) == pytest.approx(expected, rel=1e-6, abs=1e-8), name


def slope(function: Callable[[], float], array: np.ndarray, direction: np.ndarray) -> float:
    """Derivative of `function` when `array` moves in place, by a five-point difference."""
    start, h, total = array.copy(), 1e-5, 0.0
    for factor, weight in ((-2, 1), (-1, -8), (1, 8), (2, -1)):
        array[...] = start + factor * h * direction
        total += weight * function()
    array[...] = start
    return total / (12 * h)
