"""The golden model against the plain machine, against itself in batches, and at its edges."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from configs import widths
from configs.cli import UserError
from quant import batch, ops
from quant.golden import GoldenModel
from quant.qmodel import QuantModel
from quant.random import random_model
from quant.sampler import NoiseSource
from tests.quant import plain
from tests.quant.helpers import ALL_KINDS, MORE_KINDS, first_difference, kind_name, small

VOCAB = 11
FORMATS = [
    {},
    {"act_bits": 8, "kv_bits": 4, "score_frac_bits": 2, "prob_bits": 6, "bump_bits": 4},
    {"act_bits": 16, "kv_bits": 16, "score_frac_bits": 8, "prob_bits": 15},
    {"weight_bits": 2, "kv_bits": 12, "rsqrt_bits": 4, "recip_bits": 8, "bump_bits": 10},
    {
        "residual_bits": 12,
        "weight_bits": 3,
        "bits": {
            "layers.1.*.weight": 8,
            "layers.*.k": 4,
            "layers.0.v": 11,
            "layers.1.q": 8,
            "layers.0.attn_out": 14,
            "layers.*.ffn_hidden": 9,
            "head.weight": 2,
        },
    },
]


def run_both(plain_qm: QuantModel, golden_qm: QuantModel, seed: int) -> str | None:
    """Decode a random sequence in both, sampling at every other step; the first difference."""
    rng = np.random.default_rng(seed)
    temperature, context = int(rng.integers(0, 30000)), plain_qm.config["context"]
    machine = plain.Machine(plain_qm, temperature, seed)
    golden = GoldenModel(golden_qm)
    state = golden.new_state(temperature, seed)
    for position in range(context):
        token, sample = int(rng.integers(VOCAB)), bool(position % 2)
        want, got = machine.step(token, sample), golden.step(state, token, sample)
        if difference := first_difference(want, got):
            return f"seed {seed}, position {position}: {difference}"
    return None


@pytest.mark.parametrize("kind", ALL_KINDS + MORE_KINDS, ids=kind_name)
def test_every_stage_equals_the_plain_machine(kind: dict) -> None:
    seed = (ALL_KINDS + MORE_KINDS).index(kind)
    qm = random_model(small(**kind), seed, VOCAB)
    assert run_both(qm, qm, seed) is None


@pytest.mark.parametrize("quant", FORMATS)
@pytest.mark.parametrize("kind", [ALL_KINDS[0], ALL_KINDS[-1], MORE_KINDS[-1]], ids=kind_name)
def test_formats(quant: dict, kind: dict) -> None:
    config = small(quant, **kind)
    qm = random_model(config, 77, VOCAB)
    assert run_both(qm, qm, 77) is None
    for index, layer in enumerate(qm.layers):
        name = f"layers.{index}."
        for part in ("q", "k", "v", "o", "up", "down"):
            linear = getattr(layer, part)
            assert linear.weight_bits == widths.width(config.quant, f"{name}{part}.weight")
            assert np.abs(linear.weight).max() < 2 ** (linear.weight_bits - 1)
        for stage in ("q", "k", "v", "attn_out"):
            assert qm.formats[name + stage].bits == widths.width(config.quant, name + stage)
        hidden, wanted = (
            qm.formats[name + "ffn_hidden"],
            widths.width(config.quant, name + "ffn_hidden"),
        )
        assert (hidden.signed, hidden.bits) == (
            (True, wanted) if layer.gate is not None else (False, min(wanted, 15))
        )
    assert qm.layers[0].down.out_bits == qm.residual_bits == config.quant.residual_bits


@pytest.mark.parametrize(
    "shape",
    [
        {"d_model": 4, "n_heads": 1, "n_layers": 1, "d_ff": 4, "context": 4},
        {"d_model": 30, "n_heads": 5, "n_layers": 3, "d_ff": 7, "context": 13},
    ],
)
def test_odd_shapes(shape: dict) -> None:
    qm = random_model(small(**shape), 5, VOCAB)
    assert run_both(qm, qm, 5) is None


def extreme(qm: QuantModel, seed: int) -> QuantModel:
    """The same shape and formats with everything as large as the formats let it be."""
    rng = np.random.default_rng(seed)

    def signs(array: np.ndarray, top: int) -> np.ndarray:
        return (rng.choice([-top, top], array.shape)).astype(array.dtype)

    layers = []
    for layer in qm.layers:
        linears = {
            name: dataclasses.replace(linear, weight=signs(linear.weight, 127))
            for name, linear in ((n, getattr(layer, n)) for n in ("q", "k", "v", "o", "up", "down"))
        }
        layers.append(dataclasses.replace(layer, **linears))
    embed = signs(qm.embed_tok, 32767)
    return dataclasses.replace(qm, layers=tuple(layers), embed_tok=embed)


@pytest.mark.parametrize("kind", [ALL_KINDS[0], ALL_KINDS[-1]], ids=kind_name)
def test_saturation_everywhere(kind: dict) -> None:
    qm = extreme(random_model(small(**kind), 3, VOCAB), 3)
    qm.validate()
    assert run_both(qm, qm, 3) is None


@pytest.mark.parametrize("place", ["weight", "bias", "shift", "table"])
def test_one_altered_number_is_found(place: str) -> None:
    qm = random_model(small(positions="rotary"), 9, VOCAB)
    tables, layers = dict(qm.tables), list(qm.layers)
    if place == "table":
        tables["rsqrt"] = tables["rsqrt"] + 1
    else:
        array = getattr(layers[1].v, place).copy()
        array.flat[2] += {"weight": -1, "bias": 400, "shift": 1}[place]
        layers[1] = dataclasses.replace(
            layers[1], v=dataclasses.replace(layers[1].v, **{place: array})
        )
    altered = dataclasses.replace(qm, tables=tables, layers=tuple(layers))
    found = run_both(qm, altered, 9)
    assert found is not None
    assert ("attn_norm" if place == "table" else "layers.1.v") in found


def same_in_batches(qm: QuantModel) -> None:
    """Every stage of a batch is what one step after the other gives."""
    golden = GoldenModel(qm)
    tokens = np.random.default_rng(21).integers(0, VOCAB, (3, 9))
    trace: dict[str, np.ndarray] = {}
    logits = golden.forward(tokens, trace)
    assert logits.dtype == np.int64
    assert logits.shape == (3, 9, VOCAB)
    for row in range(3):
        state = golden.new_state()
        for position in range(9):
            got = golden.step(state, int(tokens[row, position]), sample=True)
            for name, value in got.items():
                if name in ("noise", "token"):
                    continue
                whole = trace[name][row, position]
                if name.endswith(("attn_scores", "attn_probs")):
                    whole = whole[:, : position + 1]
                assert np.array_equal(value, whole), (name, row, position)


@pytest.mark.parametrize("kind", ALL_KINDS[::5] + MORE_KINDS, ids=kind_name)
def test_batch_equals_incremental(kind: dict) -> None:
    same_in_batches(random_model(small(**kind), 21, VOCAB))


@pytest.mark.parametrize("quant", FORMATS)
def test_batch_equals_incremental_in_all_formats(quant: dict) -> None:
    same_in_batches(random_model(small(quant, **ALL_KINDS[-1]), 22, VOCAB))


def test_batch_saturates_as_the_steps_do() -> None:
    same_in_batches(extreme(random_model(small(), 3, VOCAB), 3))


def test_batch_in_blocks_of_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quant.batch.QUERIES", 4)
    same_in_batches(random_model(small(n_kv_heads=1), 23, VOCAB))


@pytest.mark.parametrize("keys", [1, 6, 8, 40])
def testhighest_score_over_the_keys(keys: int) -> None:
    score = np.random.default_rng(keys).permutation(3 * keys * 5).reshape(3, 1, keys, 5)
    assert np.array_equal(batch.highest(score), score.max(axis=2, keepdims=True))


@pytest.mark.parametrize("kind", [np.int64, np.float32])
def test_batch_in_chunks(kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    golden = GoldenModel(random_model(small(), 4, VOCAB))
    tokens = np.random.default_rng(4).integers(0, VOCAB, (7, 5))
    trace: dict[str, np.ndarray] = {}
    whole = golden.forward(tokens, trace, kind=kind)
    before = {name: value.copy() for name, value in trace.items()}
    monkeypatch.setattr("quant.batch.CHUNK_TOKENS", 12)
    chunked = dict(trace)
    assert np.array_equal(golden.forward(tokens, chunked, kind=kind), whole)
    # does not write into arrays of an earlier trace
    golden.forward(tokens[::-1], dict(trace), kind=kind)
    for name, value in before.items():
        assert np.array_equal(chunked[name], value), name
        assert np.array_equal(trace[name], value), name
        assert chunked[name] is not trace[name]


def test_trace_does_not_change_the_tokens_and_runs_are_equal() -> None:
    golden = GoldenModel(random_model(small(), 6, VOCAB))
    traces: list = []
    first = golden.generate([1, 2], 7, 8000, 5)
    again = golden.generate([1, 2], 7, 8000, 5, traces=traces)
    assert first == again == golden.generate([1, 2], 7, 8000, 5)
    assert len(traces) == 8
    assert "token" not in traces[0]
    assert [int(trace["token"]) for trace in traces[1:]] == first
    assert golden.generate([1, 2], 7, 8000, 6) != first


def test_generation_ends() -> None:
    golden = GoldenModel(random_model(small(), 6, VOCAB))
    free = golden.generate([1, 2], 100, stop=None)
    assert len(free) == 8  # sampled at positions 1 to 8 of a context of 9
    assert golden.generate([1, 2], 3) == free[:3]
    assert golden.generate([1, 2], 100, stop=free[2])[-1] == free[2]
    assert free[2] not in golden.generate([1, 2], 100, stop=free[2])[:-1]
    assert len(golden.generate([0] * 9, 100)) == 1


def test_requests_that_cannot_be_served() -> None:
    golden = GoldenModel(random_model(small(), 6, VOCAB))
    for prompt in ([], [0] * 10):
        with pytest.raises(UserError, match="give 1 to 9"):
            golden.generate(prompt, 1)
    for token in (-1, VOCAB):
        with pytest.raises(UserError, match="vocabulary"):
            golden.step(golden.new_state(), token, sample=False)
        with pytest.raises(UserError, match="vocabulary"):
            golden.forward(np.array([[token]]))
    with pytest.raises(UserError, match="context"):
        golden.forward(np.zeros((1, 10), int))
    state = golden.new_state()
    for _ in range(9):
        golden.step(state, 0, sample=False)
    with pytest.raises(UserError, match="full"):
        golden.step(state, 0, sample=False)


def test_noise_source_equals_its_definition() -> None:
    gumbel = np.random.default_rng(1).integers(-3000, 11500, 1024)
    source, state = NoiseSource(gumbel, 37), ops.seed_state(99)
    for temperature in (1, 4096, 65535):
        want, after = ops.draw_noise(state, 37, gumbel, temperature)
        got, state = source.draw(state, temperature)
        assert state == after
        assert np.array_equal(got, want)
