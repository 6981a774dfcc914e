"""Whole models: gradients, stages, and the KV cache, over all combinations of options."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from configs.cli import UserError
from configs.schema import ModelConfig
from model import generate, transformer
from tests.model.helpers import gradient_error

VOCAB = 7
OPTIONS = list(
    itertools.product(
        ["layernorm", "rmsnorm"],
        ["relu", "gelu"],
        ["learned", "sinusoidal", "rotary"],
        [True, False],
        [True, False],
    )
)


def config_of(norm: str, activation: str, positions: str, tied: bool, bias: bool) -> ModelConfig:
    return ModelConfig(
        d_model=12,
        n_heads=3,
        n_layers=2,
        d_ff=10,
        context=9,
        norm=norm,
        activation=activation,
        positions=positions,
        tied_head=tied,
        bias=bias,
    )


def lively(config: ModelConfig, seed: int, dtype: type = np.float64) -> transformer.Params:
    """Random parameters with no gain at one and no bias at zero."""
    print(f"seed {seed}")
    rng = np.random.default_rng(seed)
    params = transformer.init(config, VOCAB, rng, dtype)
    params.flat += rng.normal(0, 0.2, params.flat.shape)
    return params


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(map(str, options)))
def test_gradients(options: tuple) -> None:
    config, seed = config_of(*options), 21
    params, rng = lively(config, seed), np.random.default_rng(seed + 1)
    tokens, targets = rng.integers(0, VOCAB, (2, 8)), rng.integers(-1, VOCAB, (2, 8))
    grads, scratch = params.like(), params.like()
    transformer.loss_and_gradients(params, tokens, targets, config, grads)

    def loss() -> float:
        return transformer.loss_and_gradients(params, tokens, targets, config, scratch)

    for name, array in params.items():
        error = gradient_error(loss, array, grads[name], rng)
        assert error <= 1e-6, f"{name}, seed {seed}: relative error {error:.1e}"


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(map(str, options)))
def test_cache_equals_full_forward(options: tuple) -> None:
    config = config_of(*options)
    params = lively(config, 31)
    tokens = np.random.default_rng(32).integers(0, VOCAB, (1, config.context))
    full = transformer.forward(params, tokens, config)[0]
    decoder = generate.Decoder(params, config)
    for position, token in enumerate(tokens[0]):
        np.testing.assert_allclose(decoder.step(int(token)), full[position], atol=1e-12)
    with pytest.raises(ValueError, match="context"):
        decoder.step(0)


def test_stages() -> None:
    config = config_of("rmsnorm", "relu", "rotary", False, False)
    params, capture = lively(config, 41), {}
    tokens = np.random.default_rng(42).integers(0, VOCAB, (2, 5))
    logits = transformer.forward(params, tokens, config, capture)
    stages = ["attn_norm", "q", "k", "v", "attn_scores", "attn_probs", "attn_out", "attn_residual"]
    stages += ["ffn_norm", "ffn_up", "ffn_hidden", "ffn_residual"]
    names = {f"layers.{layer}.{stage}" for layer in range(2) for stage in stages}
    assert capture.keys() == names | {"embed", "final_norm", "logits"}
    np.testing.assert_array_equal(capture["logits"], logits)
    heads = capture["layers.1.v"].reshape(2, 5, 3, 4).swapaxes(1, 2)
    mixed = (capture["layers.1.attn_probs"] @ heads).swapaxes(1, 2).reshape(2, 5, 12)
    np.testing.assert_allclose(capture["layers.1.attn_out"], mixed, atol=1e-12)
    np.testing.assert_array_equal(
        capture["layers.0.ffn_hidden"], np.maximum(capture["layers.0.ffn_up"], 0)
    )


def test_later_tokens_change_nothing_before_them() -> None:
    config = config_of("layernorm", "gelu", "learned", True, True)
    params = lively(config, 51)
    tokens = np.zeros((1, 9), int)
    before = transformer.forward(params, tokens, config)
    tokens[0, 6] = 3
    after = transformer.forward(params, tokens, config)
    np.testing.assert_allclose(after[0, :6], before[0, :6], atol=1e-13)
    assert np.abs(after[0, 6:] - before[0, 6:]).max() > 1e-3


def test_parameters_are_views_of_one_vector_matrices_first() -> None:
    params = lively(config_of("layernorm", "relu", "learned", False, True), 61, np.float32)
    assert params.flat.dtype == np.float32
    assert sum(array.size for array in params.values()) == params.flat.size
    assert all(np.shares_memory(array, params.flat) for array in params.values())
    matrices = params.flat[: params.n_matrices]
    decayed = {name for name, array in params.items() if np.shares_memory(array, matrices)}
    expected = {name for name in params if name.endswith(".weight") and "norm" not in name}
    assert decayed == expected - {"positions.weight"}


def test_generation_ends() -> None:
    config = config_of("rmsnorm", "relu", "learned", False, False)
    params = lively(config, 71)
    full = list(generate.generate(params, config, [1, 2], 100))
    assert len(full) == config.context - 1  # the last one is sampled at the last position
    assert list(generate.generate(params, config, [1, 2], 3)) == full[:3]
    stop = full[2]
    stopped = list(generate.generate(params, config, [1, 2], 100, stop_token=stop))
    assert stopped == full[: full.index(stop) + 1]
    assert len(list(generate.generate(params, config, [0] * config.context, 5))) == 1
    for prompt in ([], [0] * (config.context + 1)):
        with pytest.raises(UserError, match="1 to 9"):
            list(generate.generate(params, config, prompt, 5))


def test_temperature() -> None:
    logits = np.log(np.array([0.5, 0.3, 0.2]))
    rng = np.random.default_rng(81)
    draws = [generate.choose(logits, 1.0, rng) for _ in range(4000)]
    np.testing.assert_allclose(np.bincount(draws) / 4000, [0.5, 0.3, 0.2], atol=0.03)
    assert generate.choose(logits, 0.0, None) == 0
    config = config_of("rmsnorm", "relu", "learned", False, False)
    params = lively(config, 82)
    texts = [
        list(generate.generate(params, config, [1], 8, 5.0, np.random.default_rng(seed)))
        for seed in (1, 1, 2)
    ]
    assert texts[0] == texts[1] != texts[2]
