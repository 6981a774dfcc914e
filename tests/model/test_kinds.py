"""Every kind of model and option: gradients, masks, the KV cache, and what is refused."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from configs import schema
from configs.cli import UserError
from configs.schema import ModelConfig
from model import checkpoint, generate, transformer
from model.tokenizer import Tokenizer
from quant import pipeline
from tests.model.helpers import gradient_error

VOCAB = 7
KINDS = ["decoder", "encoder", "encoder-decoder"]
SIZES = {"d_model": 16, "n_heads": 4, "n_layers": 2, "d_ff": 10, "context": 9}
OPTIONS = [
    {"activation": "swiglu", "n_kv_heads": 2, "positions": "rotary", "tied_head": False},
    {"activation": "silu", "n_kv_heads": 1, "norm_position": "post", "bias": True},
    {"norm": "layernorm", "norm_position": "post", "positions": "sinusoidal", "bias": True},
    {"norm": "layernorm", "activation": "gelu", "dropout": 0.2, "label_smoothing": 0.1},
    {"activation": "gelu_exact", "n_kv_heads": 4},
    {"activation": "swiglu", "bias": True, "tied_head": False, "norm_position": "post"},
]
CASES = [
    pytest.param(
        ModelConfig(kind=kind, **SIZES, **options), id="-".join(map(str, [kind, *options.values()]))
    )
    for kind, options in itertools.product(KINDS, OPTIONS)
]


def lively(config: ModelConfig, seed: int) -> transformer.Params:
    """Random parameters with no gain at one and no bias at zero."""
    print(f"seed {seed}")
    rng = np.random.default_rng(seed)
    params = transformer.init(config, VOCAB, rng, np.float64)
    params.flat += rng.normal(0, 0.2, params.flat.shape)
    return params


def inputs_of(config: ModelConfig, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Padding after 5 of 8 tokens in row 1; a source of 6 and 4 tokens."""
    inputs = {"mask": np.arange(8) < np.array([[8], [5]])}
    if config.kind == "encoder-decoder":
        inputs["source"] = rng.integers(0, VOCAB, (2, 6))
        inputs["source_mask"] = np.arange(6) < np.array([[6], [4]])
    return inputs


@pytest.mark.parametrize("config", CASES)
def test_gradients(config: ModelConfig) -> None:
    seed = 121
    params, rng = lively(config, seed), np.random.default_rng(seed + 1)
    inputs = inputs_of(config, rng)
    tokens, targets = rng.integers(0, VOCAB, (2, 8)), rng.integers(-1, VOCAB, (2, 8))
    targets[~inputs["mask"]] = -1
    grads, scratch = params.like(), params.like()
    grads.flat += np.nan  # each must be written

    def loss(into: transformer.Params = scratch) -> float:
        drop = np.random.default_rng(5)
        return transformer.loss_and_gradients(
            params, tokens, targets, config, into, rng=drop, **inputs
        )

    loss(grads)
    for name, array in params.items():
        error = gradient_error(loss, array, grads[name], rng)
        assert error <= 1e-6, f"{name}, seed {seed}: relative error {error:.1e}"


@pytest.mark.parametrize("config", CASES)
def test_padding_is_not_seen(config: ModelConfig) -> None:
    params, rng = lively(config, 131), np.random.default_rng(132)
    inputs = inputs_of(config, rng)
    tokens = rng.integers(0, VOCAB, (2, 8))
    before = transformer.forward(params, tokens, config, **inputs)
    for name, where in [("mask", tokens), ("source_mask", inputs.get("source"))]:
        if where is not None:
            where[~inputs[name]] = (where[~inputs[name]] + 1) % VOCAB
    after = transformer.forward(params, tokens, config, **inputs)
    mask = inputs["mask"]
    np.testing.assert_allclose(after[mask], before[mask], atol=1e-12)
    short = {name: array[1:, :4] for name, array in inputs.items() if name == "source"}
    alone = transformer.forward(params, tokens[1:, :5], config, **short)
    np.testing.assert_allclose(alone[0], before[1, :5], atol=1e-12)


@pytest.mark.parametrize("config", [case for case in CASES if case.values[0].kind != "encoder"])
def test_cache_equals_full_forward(config: ModelConfig) -> None:
    params, rng = lively(config, 141), np.random.default_rng(142)
    tokens, given, alone = rng.integers(0, VOCAB, (1, 9)), {}, {}
    if config.kind == "encoder-decoder":
        given = {"source": rng.integers(0, VOCAB, (1, 6)), "source_mask": np.arange(6)[None] < 4}
        alone = {name: array[0] for name, array in given.items()}
    full = transformer.forward(params, tokens, config, **given)[0]
    decoder = generate.Decoder(params, config, **alone)
    for position, token in enumerate(tokens[0]):
        np.testing.assert_allclose(decoder.step(int(token)), full[position], atol=1e-12)


def test_encoder_sees_both_sides_and_answers_at_the_last_real_position() -> None:
    config = ModelConfig(kind="encoder", **SIZES)
    params, rng = lively(config, 151), np.random.default_rng(152)
    tokens, mask = rng.integers(0, VOCAB, (2, 8)), np.arange(8) < np.array([[8], [5]])
    logits = transformer.forward(params, tokens, config, mask=mask)
    answers = transformer.classify(params, tokens, config, mask)
    np.testing.assert_array_equal(answers, logits[[0, 1], [7, 4]])
    targets = transformer.answer_targets(np.array([3, 6]), tokens, mask)
    assert [(row, at, targets[row, at]) for row, at in np.argwhere(targets >= 0)] == [
        (0, 7, 3),
        (1, 4, 6),
    ]
    tokens[0, 7] = (tokens[0, 7] + 1) % VOCAB
    assert np.abs(transformer.forward(params, tokens, config, mask=mask)[0, 0] - logits[0, 0]).max()
    with pytest.raises(UserError, match="does not generate"):
        generate.Decoder(params, config)


def test_an_encoder_decoder_learns_to_reverse() -> None:
    config = ModelConfig(kind="encoder-decoder", d_model=32, n_heads=4, n_layers=1, context=8)
    rng = np.random.default_rng(161)
    params = transformer.init(config, VOCAB, rng)
    grads, speed = params.like(), np.zeros_like(params.flat)
    begin = np.zeros((32, 1), int)
    for _ in range(400):
        source = rng.integers(1, VOCAB, (32, 3))
        answer = source[:, ::-1]
        tokens = np.concatenate([begin, answer[:, :-1]], axis=1)
        loss = transformer.loss_and_gradients(params, tokens, answer, config, grads, source=source)
        speed = 0.9 * speed + grads.flat / max(1, np.linalg.norm(grads.flat))
        params.flat -= 0.03 * speed
    assert loss < 0.2
    source = np.array([5, 2, 6])
    assert list(generate.generate(params, config, [0], 3, source=source)) == [6, 2, 5]


def test_dropout_is_off_without_a_generator_and_repeats_with_its_seed() -> None:
    config = ModelConfig(dropout=0.5, **SIZES)
    params = lively(config, 171)
    tokens = np.array([[1, 2, 3]])

    def logits(seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        return transformer.forward(params, tokens, config, rng=rng)

    plain = transformer.forward(params, tokens, config.model_copy(update={"dropout": 0.0}))
    np.testing.assert_array_equal(transformer.forward(params, tokens, config), plain)
    np.testing.assert_array_equal(logits(1), logits(1))
    assert np.abs(logits(1) - logits(2)).max() > 1e-3
    with pytest.raises(ValueError, match="needs a random generator"):
        transformer.loss_and_gradients(params, tokens, tokens, config, params.like())


@pytest.mark.parametrize(
    ("kind", "tokens", "more", "said"),
    [
        ("decoder", [[7]], {}, "token 7 is not in the vocabulary: expected 0 to 6"),
        ("decoder", [[0, -1]], {}, "token -1 is not in the vocabulary"),
        ("decoder", [1, 2], {}, r"\(2,\), expected ints \(batch, length\)"),
        ("decoder", [[0.5]], {}, "float64"),
        ("decoder", [[0] * 10], {}, "10 tokens do not fit into the context of 9"),
        ("decoder", [[0]], {"source": np.array([[0]])}, "'decoder' has no source"),
        ("encoder-decoder", [[0]], {}, "'encoder-decoder' needs the argument source"),
        ("encoder-decoder", [[0]], {"source": np.array([[9]])}, "token 9"),
        ("encoder-decoder", [[0]], {"source": np.array([[0], [0]])}, "2 sources for 1 row"),
        ("encoder", [[0, 1]], {"mask": np.array([[False, False]])}, "row 0 is empty"),
        ("encoder", [[0, 1]], {"mask": np.array([[True]])}, r"expected bool \(1, 2\)"),
    ],
)
def test_wrong_inputs(kind: str, tokens: list, more: dict, said: str) -> None:
    config = ModelConfig(kind=kind, **SIZES)
    params = lively(config, 181)
    with pytest.raises(ValueError, match=said):
        transformer.forward(params, np.array(tokens), config, **more)


def test_targets_of_another_shape() -> None:
    config = ModelConfig(**SIZES)
    params, tokens = lively(config, 191), np.zeros((2, 4), int)
    with pytest.raises(ValueError, match=r"\(4, 2\): expected that of tokens, \(2, 4\)"):
        transformer.loss_and_gradients(params, tokens, tokens.T, config, params.like())


def test_old_files_stay_as_they_are() -> None:
    old = ModelConfig(**SIZES).model_dump()
    assert not {"kind", "n_kv_heads", "norm_position", "dropout", "label_smoothing"} & old.keys()
    for case in CASES:
        config = case.values[0]
        assert ModelConfig(**config.model_dump()) == config


@pytest.mark.parametrize("config", CASES)
def test_checkpoints_of_every_kind(config: ModelConfig, tmp_path) -> None:
    params = transformer.init(config, VOCAB, np.random.default_rng(201))
    tokenizer = Tokenizer("char", "abcdefg")
    saved = checkpoint.Checkpoint(config, VOCAB, params, tokenizer, None, "a", 3, 1.5)
    checkpoint.save(tmp_path, saved)
    loaded = checkpoint.load(tmp_path)
    assert loaded.config == config
    np.testing.assert_array_equal(loaded.params.flat, params.flat)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"norm_position": "post"},
            "model.norm_position = 'post': not yet quantised: .*needs 'pre'",
        ),
    ],
)
def test_what_the_integers_cannot_do_is_refused_first(options: dict, said: str) -> None:
    data = {"task": "digits"}  # one that every kind of model can learn
    config = schema.parse("nothing-is-there", {"model": SIZES | options, "data": data})
    with pytest.raises(UserError, match=said) as caught:
        pipeline.load_trained(config)
    assert "\n" not in str(caught.value)


def test_what_the_integers_can_do_is_not_refused() -> None:
    for options in (
        {},
        {"n_kv_heads": 4},
        {"n_kv_heads": 1, "activation": "swiglu"},
        {"activation": "silu", "kind": "encoder"},
        {"activation": "gelu_exact", "kind": "encoder-decoder"},
        {"dropout": 0.1, "label_smoothing": 0.1},
    ):
        pipeline.check_supported(ModelConfig(**SIZES, **options))


def test_impossible_heads() -> None:
    with pytest.raises(schema.ConfigError, match="n_heads 4 is not divisible by n_kv_heads 3"):
        schema.parse("mine", {"model": SIZES | {"n_kv_heads": 3}})
