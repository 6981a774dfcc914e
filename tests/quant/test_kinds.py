"""Encoders and encoder-decoders in integers: against the plain machine, against float, padded."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from configs.cli import UserError
from model import transformer
from model.tasks import Batch
from quant import generate, qmodel
from quant.golden import GoldenModel
from quant.qmodel import QuantModel
from quant.random import random_batch, random_model, random_params
from tests.quant import plain
from tests.quant.helpers import BASE, first_difference, kind_name, small

VOCAB, CONTEXT = 11, BASE["context"]
WIDE = {"act_bits": 16, "kv_bits": 16, "score_frac_bits": 8, "prob_bits": 15}
KINDS = [
    {"kind": kind, **options}
    for kind in ("encoder", "encoder-decoder")
    for options in (
        {"norm": "layernorm", "activation": "gelu"},
        {"activation": "swiglu", "n_heads": 6, "n_kv_heads": 2, "positions": "rotary"},
        {"activation": "relu", "positions": "sinusoidal", "bias": False, "tied_head": False},
    )
]
ENCODERS, BOTH = KINDS[:3], KINDS[3:]


def of_kind(kind: dict, seed: int, quant: dict | None = None) -> QuantModel:
    """A random artefact."""
    return random_model(small(quant, **kind), seed, VOCAB)


def rows(kind: dict, count: int, seed: int) -> Batch:
    """Random rows, padded."""
    return random_batch(small(**kind).model, np.random.default_rng(seed), count, VOCAB)


def both_traces(plain_qm: QuantModel, golden_qm: QuantModel, seed: int) -> str | None:
    """A random request in the plain machine and in the golden model; the first difference."""
    rng = np.random.default_rng(seed)
    golden = GoldenModel(golden_qm)
    if plain_qm.kind == "encoder":
        tokens = rng.integers(0, VOCAB, 6).tolist()
        trace: dict[str, np.ndarray] = {}
        golden.forward(np.array([tokens]), trace)
        return first_difference(
            plain.Machine(plain_qm).answer(tokens), {n: value[0] for n, value in trace.items()}
        )
    source, temperature = rng.integers(0, VOCAB, 5).tolist(), int(rng.integers(0, 30000))
    machine = plain.Machine(plain_qm, temperature, seed, source)
    request: dict[str, np.ndarray] = {}
    state = golden.new_state(temperature, seed, source, request)
    if difference := first_difference(machine.request, request):
        return f"source: {difference}"
    for position in range(CONTEXT):
        token, sample = int(rng.integers(VOCAB)), bool(position % 2)
        want, got = machine.step(token, sample), golden.step(state, token, sample)
        if difference := first_difference(want, got):
            return f"position {position}: {difference}"
    return None


@pytest.mark.parametrize("kind", KINDS, ids=kind_name)
@pytest.mark.parametrize("quant", [{}, {"act_bits": 8, "kv_bits": 4, "prob_bits": 6}, WIDE])
def test_every_stage_equals_the_plain_machine(kind: dict, quant: dict) -> None:
    seed = KINDS.index(kind)
    qm = of_kind(kind, seed, quant)
    assert both_traces(qm, qm, seed) is None


@pytest.mark.parametrize(
    ("kind", "place", "said"),
    [
        (ENCODERS[0], "encoder", "layers.0.v"),
        (BOTH[0], "encoder", "source: encoder.layers.0.v"),
        (BOTH[0], "k", "source: layers.0.cross_k"),
        (BOTH[0], "q", "position 0: layers.0.cross_q"),
    ],
)
def test_one_altered_weight_is_found(kind: dict, place: str, said: str) -> None:
    qm = of_kind(kind, 3)
    name = "encoder" if qm.encoder and place == "encoder" else "layers"
    first, *rest = getattr(qm, name)
    linear = first.v if place == "encoder" else getattr(first.cross, place)
    weight = linear.weight.copy()
    weight[0] = -weight[0]
    linear = dataclasses.replace(linear, weight=weight)
    if place == "encoder":
        first = dataclasses.replace(first, v=linear)
    else:
        cross = dataclasses.replace(first.cross, **{place: linear})
        first = dataclasses.replace(first, cross=cross)
    altered = dataclasses.replace(qm, **{name: (first, *rest)})
    found = both_traces(qm, altered, 3)
    assert found is not None
    assert said in found


@pytest.mark.parametrize("kind", BOTH, ids=kind_name)
def test_batch_equals_incremental(kind: dict) -> None:
    golden, batch = GoldenModel(of_kind(kind, 21)), rows(kind, 3, 21)
    whole: dict[str, np.ndarray] = {}
    golden.forward(batch.tokens, whole, **batch.inputs)
    assert batch.source is not None
    assert batch.source_mask is not None
    for row, size in enumerate(batch.source_mask.sum(axis=1)):
        request: dict[str, np.ndarray] = {}
        state = golden.new_state(source=batch.source[row, :size].tolist(), trace=request)
        for name, value in request.items():
            want = whole[name][row, :size]
            if name.endswith(("_scores", "_probs")):
                want = want[..., :size]
            assert np.array_equal(value, want), (name, row)
        for position, token in enumerate(batch.tokens[row].tolist()):
            got = golden.step(state, token, sample=True)
            for name in got.keys() - {"noise", "token"}:
                want = whole[name][row, position]
                if name.endswith(("_scores", "_probs")):
                    want = want[:, : size if "cross" in name else position + 1]
                assert np.array_equal(got[name], want), (name, row, position)


@pytest.mark.parametrize("kind", KINDS, ids=kind_name)
def test_padding_and_chunks_change_nothing(kind: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    golden, batch = GoldenModel(of_kind(kind, 22)), rows(kind, 7, 22)
    before = golden.forward(batch.tokens, **batch.inputs)
    real = np.ones(batch.tokens.shape, bool) if batch.mask is None else batch.mask
    for tokens, mask in ((batch.tokens, batch.mask), (batch.source, batch.source_mask)):
        if tokens is not None and mask is not None:
            tokens[~mask] = (tokens[~mask] + 1) % VOCAB
    assert np.array_equal(golden.forward(batch.tokens, **batch.inputs)[real], before[real])
    monkeypatch.setattr("quant.batch.CHUNK_TOKENS", 12)
    assert np.array_equal(golden.forward(batch.tokens, **batch.inputs)[real], before[real])


@pytest.mark.parametrize("kind", KINDS, ids=kind_name)
def test_integers_follow_the_float_model(kind: dict) -> None:
    config = small(WIDE, **kind)
    params, batch = random_params(config, 31, VOCAB), rows(kind, 20, 31)
    golden = GoldenModel(random_model(config, 31, VOCAB))
    real = transformer.forward(params, batch.tokens, config.model, **batch.inputs)
    error = golden.forward(batch.tokens, **batch.inputs) / 2.0**golden.qm.logit_frac - real
    assert error.std() < 0.15 * real.std()


def test_an_encoder_answers() -> None:
    golden = GoldenModel(of_kind(ENCODERS[0], 41))
    question = [3, 1, 4, 1]
    logits = golden.forward(np.array([[*question, 9]]), mask=np.arange(5)[None] < 4)
    assert golden.answer(question) == logits[0, 3].argmax()
    with pytest.raises(UserError, match="'encoder' answers and does not generate"):
        golden.generate(question, 3)
    with pytest.raises(UserError, match="'encoder-decoder' generates"):
        GoldenModel(of_kind(BOTH[0], 41)).answer(question)


def test_an_encoder_decoder_generates_from_its_source() -> None:
    golden = GoldenModel(of_kind(BOTH[0], 42))
    first = golden.generate([0], 8, source=[1, 2, 3], stop=None)
    assert first == golden.generate([0], 8, source=[1, 2, 3], stop=None, traces=[])
    tokens, source = np.array([[0, *first[:-1]]]), np.array([[1, 2, 3]])
    assert golden.forward(tokens, source=source)[0].argmax(axis=1).tolist() == first
    others = [golden.generate([0], 8, source=s, stop=None) for s in ([3, 2, 1], [4], [5, 6])]
    assert any(other != first for other in others)


@pytest.mark.parametrize("kind", [ENCODERS[0], BOTH[0]], ids=kind_name)
def test_the_text_of_a_question_and_its_answer(kind: dict) -> None:
    tokenizer = {"kind": "word", "vocab": ["->", *(f"t{i}" for i in range(1, VOCAB))]}
    qm = dataclasses.replace(of_kind(kind, 49), tokenizer=tokenizer)
    written = generate.write(qm, "t3 t1 ->", 4, 0, 1)
    golden = GoldenModel(qm)
    both = kind in BOTH
    answer = golden.generate([0], 4, source=[3, 1]) if both else [golden.answer([3, 1, 0])]
    assert written == qmodel.decode(qm, [3, 1, 0, *answer])
    with pytest.raises(UserError, match="0 tokens: give 1 to 9"):
        generate.write(qm, "-> t3" if both else "", 4, 0, 1)


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        (BOTH[0], {}, "'encoder-decoder' needs a source"),
        (ENCODERS[0], {"source": np.zeros((1, 2), int)}, "'encoder' has no source"),
        (BOTH[0], {"source": np.full((1, 2), VOCAB)}, "outside the vocabulary"),
        (BOTH[0], {"source": np.zeros((1, 10), int)}, "10 tokens: give 1 to 9"),
        (ENCODERS[0], {"mask": np.array([[False, True]])}, "padding must stand on the right"),
        (ENCODERS[0], {"mask": np.array([[True]])}, r"not bool \(1, 2\)"),
        (ENCODERS[0], {"mask": np.array([[1, 0]])}, "mask: int64"),
    ],
)
def test_inputs_that_do_not_fit(kind: dict, given: dict, said: str) -> None:
    golden = GoldenModel(of_kind(kind, 43))
    with pytest.raises(UserError, match=said):
        golden.forward(np.zeros((1, 2), int), **given)


def test_requests_that_do_not_fit() -> None:
    both = GoldenModel(of_kind(BOTH[0], 44))
    for source, said in (
        (None, "needs a source"),
        ([], "0 tokens"),
        ([0] * 10, "10 tokens"),
        ([VOCAB], "vocabulary"),
    ):
        with pytest.raises(UserError, match=said):
            both.generate([0], 3, source=source)
    with pytest.raises(UserError, match="'decoder' cannot read a source"):
        GoldenModel(random_model(small(), 44, VOCAB)).generate([0], 3, source=[1])


@pytest.mark.parametrize("kind", KINDS, ids=kind_name)
def test_round_trip(kind: dict, tmp_path: Path) -> None:
    written, batch = of_kind(kind, 46), rows(kind, 2, 46)
    written.save(tmp_path / "q")
    read = qmodel.load(tmp_path / "q")
    both = [GoldenModel(qm).forward(batch.tokens, **batch.inputs) for qm in (written, read)]
    assert np.array_equal(*both)
    assert list(read.steps()) == list(written.steps())
    assert len(read.encoder) == (2 if kind in BOTH else 0)


def test_the_validator_names_what_is_wrong() -> None:
    qm, alone = of_kind(BOTH[0], 47), of_kind(ENCODERS[0], 47)
    first, second = qm.layers
    assert first.cross is not None

    def crossed(**changes: object) -> QuantModel:
        cross = dataclasses.replace(first.cross, **changes)
        return dataclasses.replace(qm, layers=(dataclasses.replace(first, cross=cross), second))

    encoder_v = dataclasses.replace(qm.encoder[1].v, exponent=70)
    encoder = (qm.encoder[0], dataclasses.replace(qm.encoder[1], v=encoder_v))
    short = dataclasses.replace(first.cross.k, weight=first.cross.k.weight[:5])
    deep = dataclasses.replace(first.cross.v, exponent=70)
    coarse = dataclasses.replace(first.cross.o, out_frac=first.cross.o.out_frac - 1)
    bad = [
        (crossed(k=short), "layers.0.cross_k.weight"),
        (crossed(v=deep), "layers.0.cross_v: the scaling shift"),
        (crossed(o=coarse), "layers.0.cross_residual is .* another format"),
        (crossed(scores_shift=32), "layers.0.cross_scores_shift"),
        (dataclasses.replace(qm, encoder=encoder), "encoder.layers.1.v: the scaling shift"),
        (dataclasses.replace(qm, encoder=qm.encoder[:1]), "1 layers of the encoder"),
        (dataclasses.replace(alone, encoder=qm.encoder), "2 layers of the encoder"),
        (dataclasses.replace(alone, layers=qm.layers), "layers.0.cross does not fit"),
        (dataclasses.replace(qm, layers=alone.layers), "layers.0.cross does not fit"),
    ]
    for model, said in bad:
        with pytest.raises(UserError, match=said):
            model.validate()
    qm.validate()


def test_every_matrix_step_of_cross_attention_has_its_bound() -> None:
    qm = of_kind(BOTH[0], 48)
    names = [step.name for step in qm.steps()]
    assert len(names) == 2 * 8 + 2 * (8 + 6) + 1
    assert names.index("encoder.layers.1.ffn_residual") < names.index("layers.0.q")
    crossed = [step for step in qm.steps() if step.name.startswith("layers.0.cross_")]
    ends = ["q", "k", "v", "scores", "out", "residual"]
    assert [step.name.removeprefix("layers.0.cross_") for step in crossed] == ends
    kv_max, d_head = 2 ** (qm.quant["kv_bits"] - 1) - 1, qm.d_head
    cross = qm.layers[0].cross
    assert cross is not None
    half = 2**cross.scores_shift // 2
    assert crossed[3].acc_max == d_head * kv_max * (2 ** (qm.quant["act_bits"] - 1) - 1) + half
    half = 2**cross.out_shift // 2
    assert crossed[4].acc_max == CONTEXT * kv_max * (2 ** qm.quant["prob_bits"] - 1) + half


@pytest.mark.parametrize("kind", KINDS, ids=kind_name)
def test_formats_name_every_stage(kind: dict) -> None:
    golden, batch = GoldenModel(of_kind(kind, 45)), rows(kind, 1, 45)
    trace: dict[str, np.ndarray] = {}
    golden.forward(batch.tokens, trace, **batch.inputs)
    sampled = set() if kind["kind"] == "encoder" else {"noise", "token"}
    assert set(golden.qm.formats) == set(trace) | sampled
