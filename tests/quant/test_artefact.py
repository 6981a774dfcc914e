"""The artefact on disk and its validator: nothing damaged, foreign or dangerous is accepted."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from configs.cli import UserError
from model.tokenizer import Tokenizer
from quant import ops, qmodel
from quant.golden import GoldenModel
from quant.qmodel import QuantModel
from quant.random import random_model
from tests.quant.helpers import ALL_KINDS, MORE_KINDS, kind_name, small

VOCAB = 11


@pytest.fixture(scope="module")
def qm() -> QuantModel:
    return random_model(small(), 1, VOCAB)


@pytest.mark.parametrize("kind", ALL_KINDS[::7] + MORE_KINDS, ids=kind_name)
def test_round_trip(kind: dict, tmp_path: Path) -> None:
    written = random_model(small(**kind), 2, VOCAB)
    written.save(tmp_path / "quant", {"note": 1})
    read = qmodel.load(tmp_path / "quant")
    tokens = np.random.default_rng(0).integers(0, VOCAB, (2, 9))
    logits = [GoldenModel(model).forward(tokens) for model in (written, read)]
    assert np.array_equal(*logits)
    for field in ("config", "quant", "formats", "tokenizer", "meta", "logit_frac", "bump_shift"):
        assert getattr(read, field) == getattr(written, field)
    assert json.loads((tmp_path / "quant" / "report.json").read_text()) == {"note": 1}


def test_equal_models_give_equal_files(tmp_path: Path) -> None:
    for name in "ab":
        random_model(small(), 2, VOCAB).save(tmp_path / name)
    for file in ("qmodel.json", "qmodel.safetensors"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


@pytest.mark.parametrize("file", ["qmodel.json", "qmodel.safetensors"])
@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "missing"])
def test_damage_is_a_user_error(qm: QuantModel, tmp_path: Path, file: str, damage: str) -> None:
    qm.save(tmp_path / "q")
    path = tmp_path / "q" / file
    data = bytearray(path.read_bytes())
    if damage == "flip":
        places = np.random.default_rng(3).integers(0, len(data), 25).tolist()
    else:
        places = [0]
    for place in places:
        altered = bytearray(data)
        altered[place] ^= 1
        path.write_bytes(
            {"flip": altered, "cut": data[: len(data) // 2], "empty": b""}.get(damage, b"")
        )
        if damage == "missing":
            path.unlink()
        with pytest.raises(UserError, match="make quantize") as error:
            qmodel.load(tmp_path / "q")
        assert "\n" not in str(error.value)


def test_another_version(qm: QuantModel, tmp_path: Path) -> None:
    qm.save(tmp_path / "q")
    path = tmp_path / "q" / "qmodel.json"
    wrapped = json.loads(path.read_text())
    wrapped["document"]["version"] = 0
    path.write_text(json.dumps(wrapped))
    with pytest.raises(UserError, match=f"version 0, not {qmodel.VERSION}"):
        qmodel.load(tmp_path / "q")


def test_a_failed_save_leaves_the_old_files(qm: QuantModel, tmp_path: Path) -> None:
    qm.save(tmp_path / "q")
    broken = dataclasses.replace(qm, meta={"what": object()})
    with pytest.raises(TypeError):
        broken.save(tmp_path / "q")
    assert qmodel.load(tmp_path / "q").meta == qm.meta
    assert [path.name for path in tmp_path.iterdir()] == ["q"]


def with_layer(qm: QuantModel, part: str, **changes: object) -> QuantModel:
    """`qm` with layer 1's linear `part` changed."""
    linear = dataclasses.replace(getattr(qm.layers[1], part), **changes)
    layer = dataclasses.replace(qm.layers[1], **{part: linear})
    return dataclasses.replace(qm, layers=(qm.layers[0], layer))


def with_field(qm: QuantModel, **changes: object) -> QuantModel:
    """`qm` with fields of layer 1 changed."""
    return dataclasses.replace(
        qm, layers=(qm.layers[0], dataclasses.replace(qm.layers[1], **changes))
    )


def with_format(qm: QuantModel, stage: str, bits: int) -> QuantModel:
    """`qm` with another width of one stage."""
    fmt = dataclasses.replace(qm.formats[stage], bits=bits)
    return dataclasses.replace(qm, formats=qm.formats | {stage: fmt})


def test_the_validator_names_what_is_wrong(qm: QuantModel) -> None:
    up = qm.layers[1].up
    shift = up.shift.copy()
    shift[3] = 32
    bad = [
        (with_layer(qm, "up", shift=shift), "layers.1.up.shift"),
        (with_layer(qm, "up", exponent=60), "layers.1.ffn_hidden: the scaling shift"),
        (with_layer(qm, "down", exponent=-1), "layers.1.ffn_residual: the scaling shift"),
        (with_layer(qm, "v", weight=np.full_like(up.weight, -128)[:12]), "layers.1.v.weight"),
        (with_layer(qm, "v", weight=up.weight[:5]), "layers.1.v.weight"),
        (with_layer(qm, "v", bias=up.bias.astype(np.int64)[:12]), "layers.1.v.bias"),
        (dataclasses.replace(qm, eps_int=0), "eps_int"),
        (dataclasses.replace(qm, embed_pos=None), "embed_pos"),
        (dataclasses.replace(qm, layers=qm.layers[:1]), "1 layers"),
        (dataclasses.replace(qm, tables=qm.tables | {"bump": None if qm.tables["bump"] is not None
                                                     else np.zeros(256, np.int32)}), "bump"),
        (dataclasses.replace(qm, tables=qm.tables | {"recip": qm.tables["recip"][:9]}), "recip"),
        (dataclasses.replace(qm, quant=qm.quant | {"rsqrt_bits": 6}), "table 'rsqrt'"),
        (dataclasses.replace(qm, stop_token=VOCAB), "stop_token"),
        (with_layer(qm, "up", weight_bits=7), "layers.1.up.weight holds a value beyond 63"),
        (with_layer(qm, "up", weight_bits=9), "layers.1.up.weight_bits is 9"),
        (with_layer(qm, "k", out_bits=7), "layers.1.k is s10"),
        (with_format(qm, "layers.1.ffn_residual", 14), "layers.1.ffn_residual is s14"),
        (with_format(qm, "layers.0.attn_probs", 11), "layers.0.attn_probs bits"),
        (with_format(qm, "layers.0.attn_out", 17), "layers.0.attn_out bits"),
        (with_format(qm, "embed", 17), "residual bits is 17"),
        (with_format(qm, "layers.1.ffn_hidden", 16), "layers.1.ffn_hidden bits is 17"),
        (with_layer(qm, "down", in_zero=1), "layers.1.ffn_hidden is u12"),
    ]  # fmt: skip
    gated = random_model(small(activation="swiglu"), 1, VOCAB)
    bad += [
        (with_layer(gated, "gate", shift=shift), "layers.1.gate.shift"),
        (with_layer(gated, "gate", exponent=60), "layers.1.ffn_gate: the scaling shift"),
        (with_field(gated, gate=None), "layers.1.gate does not fit"),
        (with_field(qm, gate=up), "layers.1.gate does not fit"),
        (with_field(gated, hidden_shift=32), "layers.1.hidden_shift"),
    ]
    gelu = random_model(small(activation="gelu"), 1, VOCAB)
    hidden = gelu.formats["layers.0.ffn_hidden"]
    assert hidden.zero == gelu.tables["bump"].max() > 0
    for zero in (hidden.zero - 1, hidden.max_int + 1):  # below 0, above the largest code
        fmt = dataclasses.replace(hidden, zero=zero)
        layers = [
            dataclasses.replace(layer, down=dataclasses.replace(layer.down, in_zero=zero))
            for layer in gelu.layers
        ]
        formats = gelu.formats | {f"layers.{i}.ffn_hidden": fmt for i in range(2)}
        model = dataclasses.replace(gelu, formats=formats, layers=tuple(layers))
        bad.append((model, "the zero of layers.0.ffn_hidden"))
    for model, name in bad:
        with pytest.raises(UserError, match=name):
            model.validate()
    qm.validate()


def test_overflow_is_refused_by_name(qm: QuantModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ops, "ACC_BITS_MAX", qm.acc_bits() - 1)
    first = next(step for step in qm.steps() if step.acc_max.bit_length() + 1 == qm.acc_bits())
    with pytest.raises(UserError, match=f"^{first.name}: the accumulator could reach"):
        qm.validate()


def test_no_input_beats_the_accumulator_bound(qm: QuantModel) -> None:
    bounds = {step.name: step for step in qm.steps()}
    linear, step = qm.layers[0].up, bounds["layers.0.ffn_hidden"]
    reach = (np.abs(linear.weight.astype(int)) * step.x_max).sum(axis=1)
    reach = reach + (2 ** linear.shift.astype(int)) // 2
    assert reach.max() == step.acc_max
    down, hidden = qm.layers[1].down, qm.formats["layers.1.ffn_hidden"]
    rng, weight = np.random.default_rng(5), down.weight.astype(np.int64)
    worst = [(sign * weight > 0) * hidden.max_int for sign in (-1, 1)]  # for each output
    sums = [np.einsum("oi,oi->o", weight, x) for x in worst]
    any_x = rng.integers(0, hidden.max_int + 1, (200, weight.shape[1]))
    sums = np.abs(np.concatenate([*sums, (any_x @ weight.T).ravel()]).reshape(-1, len(weight)))
    half = (2 ** down.shift.astype(int)) // 2
    assert (sums + half).max() == bounds["layers.1.ffn_residual"].acc_max
    assert 2 ** (qm.acc_bits() - 1) > max(s.acc_max for s in bounds.values())
    assert list(bounds)[-1] == "logits"
    assert len(bounds) == 2 * 8 + 1


def test_formats_name_every_stage(qm: QuantModel) -> None:
    state = GoldenModel(qm).new_state()
    trace = GoldenModel(qm).step(state, 0, sample=True)
    assert set(qm.formats) == set(trace)


def test_text_in_and_out(qm: QuantModel) -> None:
    assert qmodel.encode(qm, "t3  t0 t10") == [3, 0, 10]
    assert qmodel.decode(qm, [3, 0]) == "t3 t0"
    with pytest.raises(UserError, match="'t11'"):
        qmodel.encode(qm, "t1 t11")
    chars = dataclasses.replace(qm, tokenizer={"kind": "char", "vocab": list("abcdefghij\n")})
    assert qmodel.decode(chars, qmodel.encode(chars, "bad\nhag")) == "bad\nhag"
    with pytest.raises(UserError, match="'!'"):
        qmodel.encode(chars, "a!")


def test_byte_pairs_in_and_out(qm: QuantModel) -> None:
    text = "the cat sat on the mat é漢😀\n"
    learned = Tokenizer.of(text * 9, "bpe")
    pairs = dataclasses.replace(qm, tokenizer=learned.to_dict())
    assert qmodel.encode(pairs, text) == learned.encode(text)
    assert qmodel.decode(pairs, learned.encode(text)) == text
    with pytest.raises(UserError, match="UTF-8"):
        qmodel.encode(pairs, "\udcff")


def test_temperature_register(qm: QuantModel) -> None:
    one = 2 ** (qm.logit_frac + 2)
    assert qm.temperature_register(0) == 0
    assert qm.temperature_register(1) == one
    assert qm.temperature_register(0.8) == round(0.8 * one)
    for temperature in (-0.1, 65537 / one, float("nan"), float("inf")):
        with pytest.raises(UserError, match="choose one from 0 to"):
            qm.temperature_register(temperature)
