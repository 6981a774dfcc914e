"""The numbers of the report against small computations of their own."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from types import SimpleNamespace

import numpy as np
import pytest

from quant import report, report_page, sensitivity
from quant.fold import Folded
from quant.folded import forward
from quant.golden import GoldenModel
from quant.qformat import QFormat
from quant.qmodel import QuantModel
from quant.random import random_batch
from tests.quant.helpers import ALL_KINDS, MORE_KINDS, kind_name, small
from tests.quant.report_models import VOCAB, details, held_out, models

VISIBLE = np.ones((1, 1), bool)  # of scores; norms and reciprocals do not ask


@pytest.fixture(scope="module")
def tight() -> tuple[Folded, QuantModel]:
    """Keys and values have only 4 bits; the matrices have 8."""
    return models(small({"kv_bits": 4, "act_bits": 16}))


@pytest.fixture(scope="module")
def measured(tight: tuple[Folded, QuantModel]) -> dict:
    return details(*tight)


def row_of(rows: list[dict], name: str) -> dict:
    (row,) = [row for row in rows if row["name"] == name]
    return row


def values_of(folded: Folded, stage: str, tokens: np.ndarray) -> np.ndarray:
    """What the float model has there."""
    found = []

    def note(name: str, value: np.ndarray) -> np.ndarray:
        if name == stage:
            found.append(value)
        return value

    forward(folded, tokens, note)
    return found[0]


ENCODERS = [
    {"kind": "encoder", "norm": "layernorm", "activation": "gelu"},
    {"kind": "encoder-decoder", "positions": "sinusoidal"},
    {"kind": "encoder-decoder", "n_heads": 6, "n_kv_heads": 2, "activation": "swiglu"},
]


@pytest.mark.parametrize("kind", ALL_KINDS[::9] + MORE_KINDS + ENCODERS, ids=kind_name)
def test_every_stage_and_tensor_has_its_row(kind: dict) -> None:
    config = small(**kind)
    folded, qm = models(config)
    batch = random_batch(config.model, np.random.default_rng(53), 20, VOCAB)
    if batch.mask is not None:
        batch = batch._replace(targets=np.where(batch.mask, batch.targets, -1))
    result = details(folded, qm, batch)
    assert {row["name"] for row in result["stages"]} == set(qm.formats) - {"noise", "token"}
    both = config.model.kind == "encoder-decoder"
    each = 6 + (config.model.activation == "swiglu")
    count = config.model.n_layers * (each + both * (each + 4)) + 2
    count += folded.embed_pos is not None
    assert len(result["tensors"]) == count
    for row in result["stages"] + result["tensors"]:
        assert report_page.describe(row["name"]), row["name"]
        layer, found, index = row["name"].partition("layers.")
        assert row["layer"] == (layer + found + index[0] if found else None)
    for rows in (result["stages"], result["tensors"]):
        costs = [row["kl"] for row in rows]
        assert costs == sorted(costs, reverse=True)
        assert min(costs) >= -1e-12
        assert all(row["snr_db"] > 8 for row in rows)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    together, parts = result["sample"]["kl"], result["sample"]["kl_of_parts"]
    assert parts / 3 < together < 3 * parts  # nothing large is left out, nothing counted twice
    for key in ("kl_of_all_stages", "kl_of_all_tensors"):
        assert 0 < result["sample"][key] < 2 * together
    assert parts == pytest.approx(sum(r["kl"] for r in result["stages"] + result["tensors"]))


def test_a_stage_by_hand(tight: tuple[Folded, QuantModel], measured: dict) -> None:
    """Range, saturation, signal-to-noise and KL of values in 4 bits, one value at a time."""
    folded, qm = tight
    name, fmt, batch = "layers.0.v", qm.formats["layers.0.v"], held_out()
    real = values_of(folded, name, batch.tokens)
    trace: dict = {}
    GoldenModel(qm).forward(batch.tokens, trace)
    cut, signal, noise = 0, 0.0, 0.0
    for x, code in zip(real.ravel().tolist(), trace[name].ravel().tolist(), strict=True):
        cut += not -7.5 <= x * 2**fmt.frac < 7.5
        signal += x**2
        noise += (x - code / 2**fmt.frac) ** 2
    row = row_of(measured["stages"], name)
    assert (row["low"], row["high"]) == (real.min(), real.max())
    assert row["saturation"] == cut / real.size
    assert row["snr_db"] == pytest.approx(10 * math.log10(signal / noise))
    assert (row["format"], row["layer"]) == (f"s4.{fmt.frac}", "layers.0")

    def note(stage: str, value: np.ndarray) -> np.ndarray:
        return fmt.decode(fmt.encode(value)) if stage == name else value

    p, q = (
        np.exp(logits)
        for logits in (forward(folded, batch.tokens), 0 + forward(folded, batch.tokens, note))
    )
    p, q = p / p.sum(-1, keepdims=True), q / q.sum(-1, keepdims=True)
    assert row["kl"] == pytest.approx(float((p * np.log(p / q)).sum(-1).mean()), rel=1e-6)
    picked = np.take_along_axis(np.log(p / q), batch.targets[..., None], -1)
    assert row["loss_increase"] == pytest.approx(float(picked.mean()), rel=1e-6)


def test_what_is_narrow_comes_first(measured: dict) -> None:
    assert {row["name"].rpartition(".")[2] for row in measured["stages"][:4]} == {"k", "v"}
    narrow = [row["snr_db"] for row in measured["stages"] if row["name"].endswith((".k", ".v"))]
    wide = row_of(measured["stages"], "layers.0.q")["snr_db"]
    assert max(narrow) < 30 < wide


def test_a_format_that_is_too_small_shows(tight: tuple[Folded, QuantModel]) -> None:
    folded, qm = tight
    batch = held_out()
    real = values_of(folded, "layers.1.ffn_hidden", batch.tokens)
    frac = 15 - math.floor(math.log2(np.quantile(real, 0.9)))  # a tenth or more is too large
    formats = {**qm.formats, "layers.1.ffn_hidden": QFormat(15, frac, False)}
    found = {}
    for which in (qm, dataclasses.replace(qm, formats=formats)):
        stage = row_stage(which, folded, "layers.1.ffn_hidden")
        seen = report.Seen()
        seen.add(real, stage.through(real), stage.ends, 2.0**-frac / 2)
        logits = sensitivity.logits(folded, batch)
        found[which is qm] = seen.row(stage), sensitivity.cost(folded, batch, logits, [stage])
    (good, cheap), (bad, dear) = found[True], found[False]
    assert good["saturation"] < 0.001 < 0.1 < bad["saturation"] < 0.5
    assert good["snr_db"] > 70 > 20 > bad["snr_db"]
    assert dear.kl > 1000 * cheap.kl


def row_stage(qm: QuantModel, folded: Folded, name: str) -> sensitivity.Stage:
    (stage,) = [stage for stage in sensitivity.stages(qm, folded) if stage.name == name]
    return stage


@pytest.mark.parametrize("kind", ALL_KINDS[::11], ids=kind_name)
def test_scalars_pass_through_the_tables_of_the_machine(kind: dict) -> None:
    """Given the integers' own input, a norm or a reciprocal is that of the golden trace."""
    folded, qm = models(small(**kind))
    tokens, trace = held_out().tokens, {}
    GoldenModel(qm).forward(tokens, trace)
    step = qm.formats["embed"].step
    residual = trace["layers.0.attn_residual"] * step
    scalar = 1 / np.sqrt((residual**2).mean(-1, keepdims=True) + folded.eps)
    norm = row_stage(qm, folded, "layers.0.ffn_norm")
    assert np.allclose(norm.through(scalar), norm.decode(trace[norm.name], VISIBLE), rtol=1e-12)
    assert np.allclose(norm.through(scalar), scalar, rtol=0.02)
    recip = row_stage(qm, folded, "layers.0.attn_recip")
    one = 2 ** qm.quant["prob_bits"] - 1
    total = trace["layers.0.attn_probs"].sum(-1).swapaxes(1, 2)[..., None] / one  # [B, H, T, 1]
    assert np.allclose(recip.through(total), recip.decode(trace[recip.name], VISIBLE), rtol=1e-12)
    assert np.allclose(recip.through(total), total, rtol=0.02)


def test_a_tensor_by_hand(tight: tuple[Folded, QuantModel], measured: dict) -> None:
    folded, qm = tight
    linear, real = qm.layers[1].down, folded.layers[1].down.weight
    signal = noise = 0.0
    cut = 0
    for o in range(real.shape[0]):
        for i in range(real.shape[1]):
            unit = 2.0 ** -int(linear.weight_frac[o])
            signal += real[o, i] ** 2
            noise += (int(linear.weight[o, i]) * unit - real[o, i]) ** 2
            cut += not -127.5 <= real[o, i] / unit < 127.5
    row = row_of(measured["tensors"], "layers.1.down.weight")
    assert row["snr_db"] == pytest.approx(10 * math.log10(signal / noise))
    assert row["saturation"] == cut / real.size
    assert row["shape"] == list(real.shape)
    assert (row["low"], row["high"]) == (real.min(), real.max())
    fracs = linear.weight_frac.tolist()
    assert re.fullmatch(rf"s8\.{min(fracs)}( to \.{max(fracs)})?", row["format"])


def test_histograms_by_hand() -> None:
    ends = (-2.0, 2.0)
    values = np.array([-1.99, -1.0, 0.01, 0.02, 0.03, 1.0, 5.0])  # from -2 to 5 in 64 bins
    drawn = report.histogram(values, -1.99, 5.0, ends)
    assert (drawn["low"], drawn["high"], drawn["ends"]) == (-2.0, 5.0, [-2.0, 2.0])
    want = [0] * 64
    for value in values:
        want[min(63, math.floor((value + 2) / 7 * 64))] += 1
    assert drawn["counts"] == want
    far = report.histogram(np.array([-0.5, 0.9]), -0.5, 1.0, (-100.0, 100.0))
    assert (far["low"], far["high"]) == (-2.0, 2.0)
    assert sum(report.histogram(np.zeros(5), 0.0, 0.0, None)["counts"]) == 5


@pytest.mark.parametrize("bits", range(2, 9))
def test_code_histograms_by_hand(bits: int) -> None:
    top = 2 ** (bits - 1) - 1
    codes = np.arange(-top, top + 1)
    drawn = report.code_histogram(codes, top)
    width = (drawn["high"] - drawn["low"]) / len(drawn["counts"])
    assert len(drawn["counts"]) <= report.BINS
    assert sum(drawn["counts"]) == codes.size
    assert drawn["counts"][len(drawn["counts"]) // 2] == width == int(width)
    assert drawn["low"] < -top < top < drawn["high"]
    assert drawn["ends"] == [-top, top]
    if bits <= 6:
        assert drawn["counts"] == [1] * codes.size


def test_the_sample_shrinks_with_the_work() -> None:
    task = SimpleNamespace(validation=held_out(2000))
    assert len(report.sample(task, 1, VOCAB).tokens) == report.TOKENS // 9
    few = report.sample(task, report.WORK // 90, VOCAB).tokens
    assert len(few) == 10
    assert np.array_equal(few[5], task.validation.tokens[1000])
    assert len(report.sample(task, report.WORK * 9, VOCAB).tokens) == 1
    assert len(report.sample(task, 1, report.LOGITS // 18).tokens) == 2


def test_every_tensor_has_the_width_it_was_given() -> None:
    folded, qm = models(small({"bits": {"layers.*.up.weight": 3, "layers.1.q": 9}}))
    result = details(folded, qm)
    bits = {row["name"]: row["format"][:3] for row in result["tensors"] + result["stages"]}
    assert (bits["layers.0.up.weight"], bits["layers.1.up.weight"]) == ("s3.", "s3.")
    assert (bits["layers.0.q.weight"], bits["layers.1.q"]) == ("s8.", "s9.")
    drawn = row_of(result["tensors"], "layers.0.up.weight")["histogram"]
    assert (len(drawn["counts"]), drawn["ends"]) == (7, [-3, 3])
