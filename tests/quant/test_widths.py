"""Widths by pattern: the last match wins, and what means nothing is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from configs import schema, stages, widths
from configs.schema import ConfigError, parse
from quant.random import random_model
from tests.quant.helpers import small

MIXED = {"layers.*.weight": 4, "layers.0.*": 8, "layers.1.k": 5, "layers.1.up.weight": 2}


def test_the_last_match_wins() -> None:
    quant = small({"bits": MIXED, "act_bits": 10, "kv_bits": 7}).quant
    bits = {name: widths.width(quant, name) for name in widths.names(small().model)}
    assert {bits[name] for name in bits if name.startswith("layers.0")} == {8}
    assert bits["layers.1.q.weight"] == bits["layers.1.down.weight"] == 4
    assert (bits["layers.1.up.weight"], bits["head.weight"]) == (2, 8)
    assert (bits["layers.1.k"], bits["layers.1.v"], bits["layers.1.q"]) == (5, 7, 10)
    turned = small({"bits": dict(reversed(MIXED.items()))}).quant
    assert widths.width(turned, "layers.1.up.weight") == 4


@pytest.mark.parametrize(
    ("bits", "said"),
    [
        (
            {"layer.0.k": 8},
            "quant.bits: nothing is called 'layer.0.k'; there are layers.0.q.weight",
        ),
        ({"layers.2.k": 8}, "nothing is called 'layers.2.k'"),
        ({"embed": 8}, "nothing is called 'embed'"),
        ({"*.weight": 9}, r"9 bits for layers.0.q.weight, which takes 2 to 8 \(weight_bits\)"),
        ({"layers.*": 4}, r"4 bits for layers.0.q, which takes 8 to 16 \(act_bits\)"),
        ({"*.k": 3}, r"3 bits for layers.0.k, which takes 4 to 16 \(kv_bits\)"),
        (
            {"layers.1.ffn_hidden": 8},
            "'gelu' serves all layers: give layers.*.ffn_hidden one width",
        ),
        ({"*.k": "8"}, "quant.bits.*.k: Input should be a valid integer"),
    ],
)
def test_overrides_without_a_meaning(bits: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as error:
        parse("mine", {"model": {"activation": "gelu"}, "quant": {"bits": bits}})
    assert "\n" not in str(error.value)


def test_every_matrix_and_width_of_an_encoder_decoder_has_a_name() -> None:
    bits = {"encoder.*.v": 6, "*cross_k": 5, "*.cross_o.weight": 4, "layers.*.gate.weight": 3}
    config = small({"bits": bits}, kind="encoder-decoder", activation="swiglu")
    qm = random_model(config, 1, 11)
    linears = [
        (p + n, linear) for p, layer in qm.named_layers() for n, linear in layer.linears().items()
    ]
    names = widths.names(config.model)
    assert {n for n in names if n.endswith(".weight")} == {
        *(f"{name}.weight" for name, _ in linears),
        "head.weight",
    }
    for name, linear in linears:
        assert linear.weight_bits == widths.width(config.quant, f"{name}.weight"), name
    for name in names:
        if not name.endswith(".weight"):
            assert qm.formats[name].bits == widths.width(config.quant, name), name
    assert qm.formats["encoder.layers.1.v"].bits == 6 != qm.formats["layers.1.v"].bits
    assert qm.formats["layers.0.cross_k"].bits == 5


def test_relu_hidden_layers_may_differ() -> None:
    quant = small({"bits": {"layers.1.ffn_hidden": 8}}, activation="relu").quant
    assert [widths.width(quant, f"layers.{i}.ffn_hidden") for i in range(2)] == [12, 8]


def test_defaults_leave_no_trace_in_old_files() -> None:
    assert not {"bits", "residual_bits", "calibration", "percentile"} & set(
        small().quant.model_dump()
    )
    assert small({"residual_bits": 14}).quant.model_dump()["residual_bits"] == 14


def test_the_order_of_overrides_reaches_make(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """make compares sorted files, and the order of patterns is no detail."""
    monkeypatch.setattr(schema, "BUILD_DIR", tmp_path)
    texts = []
    for items in (MIXED.items(), reversed(MIXED.items())):
        data = {"task": "digits"}
        stages.write(parse("mine", {"data": data, "quant": {"bits": dict(items)}}))
        texts.append((tmp_path / "mine" / "stages" / "quant.json").read_text())
    assert texts[0] != texts[1]
    assert json.loads(texts[0])["quant"] == json.loads(texts[1])["quant"]
