"""Folding and smoothing change no logit of the float model, whatever its options."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from model import transformer
from quant import calibrate
from quant.balance import balance, row_errors, wanted
from quant.fold import fold
from quant.folded import forward
from quant.random import random_batch, random_params
from quant.smooth import smooth
from quant.turn import random_turn, turned
from tests.quant.helpers import ALL_KINDS, MORE_KINDS, kind_name, small

VOCAB = 13
TOLERANCE = 1e-5


def setting(kind: dict, seed: int = 8):
    """Config, float64 parameters, tokens, and the logits to keep."""
    config = small(**kind)
    params = random_params(config, seed, VOCAB)
    tokens = np.random.default_rng(seed).integers(0, VOCAB, (4, config.model.context))
    return config, params, tokens, transformer.forward(params, tokens, config.model)


@pytest.mark.parametrize("kind", ALL_KINDS + MORE_KINDS, ids=kind_name)
def test_folding_is_exact(kind: dict) -> None:
    config, params, tokens, want = setting(kind)
    got = forward(fold(params, config.model), tokens)
    assert np.abs(got - want).max() < TOLERANCE
    assert np.ptp(want) > 1


@pytest.mark.parametrize("kind", ALL_KINDS + MORE_KINDS, ids=kind_name)
def test_smoothing_is_exact_and_evens_out_the_cache(kind: dict) -> None:
    config, params, tokens, want = setting(kind)
    folded = fold(params, config.model)
    smoothed = smooth(folded, calibrate.collect(folded, tokens))
    assert np.abs(forward(smoothed, tokens) - want).max() < TOLERANCE
    stats = calibrate.collect(smoothed, tokens)
    for layer in range(config.model.n_layers):
        low, high = stats.channel_range(f"layers.{layer}.v")
        assert np.allclose(high, high[0])
        assert np.allclose(low, -high)


@pytest.mark.parametrize("kind", ALL_KINDS + MORE_KINDS, ids=kind_name)
@pytest.mark.parametrize("bits", [2, 4])
def test_balancing_is_exact_and_brings_rows_to_a_better_place(kind: dict, bits: int) -> None:
    config, params, tokens, want = setting(kind)
    quant = config.quant.model_copy(update={"weight_bits": bits})
    folded = fold(params, config.model)
    stats = calibrate.collect(folded, tokens)
    balanced, smoothed = balance(folded, stats, quant), smooth(folded, stats)
    assert np.abs(forward(balanced, tokens) - want).max() < TOLERANCE
    for part in ("k", "v", "q"):
        errors = [
            np.mean([row_errors(getattr(layer, part).weight, bits) for layer in model.layers])
            for model in (balanced, smoothed)
        ]
        assert errors[0] < errors[1] * (1.02 if part == "q" else 1.0)


def test_narrow_weights_beside_wide_activations_are_balanced() -> None:
    config = small()
    for bits, act, kv, expected in ((4, 12, 10, True), (6, 12, 10, True), (8, 12, 10, False),
                                    (4, 8, 8, True), (5, 8, 8, False)):  # fmt: skip
        update = {"weight_bits": bits, "act_bits": act, "kv_bits": kv}
        assert wanted(config.quant.model_copy(update=update)) == expected


EVERY = {
    "norm": ("layernorm", "rmsnorm"),
    "tied_head": (True, False),
    "bias": (True, False),
    "n_kv_heads": (None, 1, 3),
}


@pytest.mark.parametrize("kind", ["decoder", "encoder", "encoder-decoder"])
@pytest.mark.parametrize("activation", ["relu", "gelu", "gelu_exact", "silu", "swiglu"])
@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "rotary"])
def test_every_combination_is_exact(kind: str, activation: str, positions: str) -> None:
    for values in itertools.product(*EVERY.values()):
        options = dict(zip(EVERY, values, strict=True)) | {"n_heads": 6, "kind": kind}
        config = small(**options, activation=activation, positions=positions)
        params, rng = random_params(config, 8, VOCAB), np.random.default_rng(8)
        batch = random_batch(config.model, rng, 3, VOCAB)
        want = transformer.forward(params, batch.tokens, config.model, **batch.inputs)
        folded = fold(params, config.model)
        stats = calibrate.collect(folded, batch)
        narrow = config.quant.model_copy(update={"weight_bits": 4})
        changed = (smooth(folded, stats), balance(folded, stats, narrow), turned(folded))
        for model in (folded, *changed):
            got = forward(model, batch.tokens, **batch.inputs)
            assert np.abs(got - want).max() < TOLERANCE, options


def test_turning_changes_directions_and_no_lengths() -> None:
    config = small(kind="encoder-decoder")
    folded = fold(random_params(config, 8, VOCAB), config.model)
    other = turned(folded)
    for name in ("encoder", "layers"):
        before, after = (getattr(model, name)[1].up.weight for model in (folded, other))
        assert np.allclose(np.linalg.norm(before, axis=1), np.linalg.norm(after, axis=1))
        assert np.abs(before - after).max() > 0.1


def test_a_turn_is_orthogonal_and_evens_out_an_outlier() -> None:
    turn = random_turn(64)
    assert np.allclose(turn @ turn.T, np.eye(64))
    outlier = np.eye(64)[7] * 100 + np.random.default_rng(5).normal(size=(200, 64))
    assert np.abs(outlier @ turn).max() < 60


def test_float32_parameters_fold_too() -> None:
    config, params, tokens, _ = setting(ALL_KINDS[0])
    single = transformer.Params(params.flat.astype(np.float32), params.shapes)
    want = transformer.forward(single, tokens, config.model)
    assert np.abs(forward(fold(single, config.model), tokens) - want).max() < 1e-4


def test_the_residual_of_a_folded_layernorm_model_is_centred() -> None:
    config, params, tokens, _ = setting(ALL_KINDS[0])
    assert config.model.norm == "layernorm"
    means = {}

    def note(stage: str, value: np.ndarray) -> np.ndarray:
        if stage == "embed" or stage.endswith("residual"):
            means[stage] = np.abs(value.mean(axis=-1)).max()
        return value

    forward(fold(params, config.model), tokens, note)
    assert len(means) == 1 + 2 * config.model.n_layers
    assert max(means.values()) < 1e-12


@pytest.mark.parametrize("kind", ALL_KINDS[::7], ids=kind_name)
def test_every_stage_goes_on_with_what_the_note_returns(kind: dict) -> None:
    config, params, tokens, want = setting(kind)
    folded = fold(params, config.model)
    seen: list[str] = []
    forward(folded, tokens, lambda stage, value: (seen.append(stage), value)[1])
    for chosen in seen:

        def note(stage: str, value: np.ndarray, at: str = chosen) -> np.ndarray:
            return value * np.linspace(1.0, 1.1, value.size).reshape(value.shape) ** (stage == at)

        unread = chosen.endswith("_norm")  # its factor is what counts
        assert (np.abs(forward(folded, tokens, note) - want).max() > TOLERANCE) != unread, chosen


def test_the_comparison_itself_can_fail() -> None:
    config, params, tokens, want = setting(ALL_KINDS[0])
    folded = fold(params, config.model)
    wrong = dataclasses.replace(folded, eps=folded.eps * 10)
    assert np.abs(forward(wrong, tokens) - want).max() > TOLERANCE
