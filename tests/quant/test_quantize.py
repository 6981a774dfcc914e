"""From float to integers: formats hold what was seen, rounding helps, nonsense is refused."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest

from configs import schema
from configs.cli import UserError
from configs.schema import Config
from model import checkpoint, tasks, transformer
from quant import calibrate, pipeline, qmodel, report_page, rounding, score
from quant.fold import fold
from quant.folded import forward
from quant.golden import GoldenModel
from quant.qformat import QFormat
from quant.quantize import quantize, real_bias, with_bias
from quant.random import random_model, random_params
from quant.turn import turned
from tests.model.helpers import question_config
from tests.quant.helpers import ALL_KINDS, MORE_KINDS, kind_name, save_random, small

VOCAB = 11
TOKENIZER = {"kind": "word", "vocab": [f"t{i}" for i in range(VOCAB)]}
WIDE = {"act_bits": 16, "kv_bits": 16, "score_frac_bits": 8, "prob_bits": 15}


@pytest.mark.parametrize("kind", ALL_KINDS[::3] + MORE_KINDS, ids=kind_name)
def test_integers_follow_the_float_model(kind: dict) -> None:
    config = small(WIDE, **kind)
    params = random_params(config, 31, VOCAB)
    golden = GoldenModel(random_model(config, 31, VOCAB))
    tokens = np.random.default_rng(31).integers(0, VOCAB, (20, 9))
    real = transformer.forward(params, tokens, config.model)
    error = golden.forward(tokens) / 2.0**golden.qm.logit_frac - real
    limit = 0.1 if config.model.activation == "swiglu" else 0.03  # a product adds both errors
    assert error.std() < limit * real.std()


def test_more_bits_are_closer() -> None:
    config = small()
    params = random_params(config, 32, VOCAB)
    tokens = np.random.default_rng(32).integers(0, VOCAB, (20, 9))
    real = transformer.forward(params, tokens, config.model)
    errors = []
    for bits in (3, 4, 6, 8):
        qm = random_model(small({"weight_bits": bits, **WIDE}), 32, VOCAB)
        assert np.abs(qm.layers[0].q.weight).max() < 2 ** (bits - 1)
        errors.append((GoldenModel(qm).forward(tokens) / 2.0**qm.logit_frac - real).std())
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < errors[0] / 8


def test_the_residual_keeps_its_headroom() -> None:
    config = small()
    folded = fold(random_params(config, 33, VOCAB), config.model)
    tokens = np.random.default_rng(33).integers(0, VOCAB, (8, 9))
    stats = calibrate.collect(folded, tokens)
    formats = calibrate.choose_formats(folded, stats, config.quant)
    peaks: list[float] = []

    def note(stage: str, value: np.ndarray) -> np.ndarray:
        if stage == "embed" or stage.endswith(("residual", "delta")):
            peaks.append(float(np.abs(value).max()))
        return value

    forward(folded, tokens, note)
    fmt = formats["embed"]
    assert 1.25 * max(peaks) <= fmt.max_int * fmt.step
    assert 1.25 * max(peaks, default=0) > fmt.max_int * fmt.step / 4  # and no bit is wasted


@pytest.mark.parametrize("bits", [4, 8, 12])
def test_covering_frac_is_the_largest_that_holds(bits: int) -> None:
    for absmax in (1e-3, 0.49, 0.5, 1.0, 3.99, 4.0, 100.0):
        frac = calibrate.covering_frac(absmax, bits)
        top = QFormat(bits, frac).max_int
        assert absmax * 2.0**frac <= top
        assert absmax * 2.0 ** (frac + 1) > top or frac == 2 * bits
    assert calibrate.covering_frac(0.0, bits) == bits - 1


def test_best_frac_clips_an_outlier_and_nothing_else() -> None:
    rng = np.random.default_rng(34)
    even = rng.uniform(-0.9, 0.9, 4000)

    def best(sample: np.ndarray, least: int) -> int:
        return calibrate.best_frac(sample, least, lambda frac: QFormat(8, frac))

    assert best(even, calibrate.covering_frac(0.9, 8)) == calibrate.covering_frac(0.9, 8)
    least = calibrate.covering_frac(1.05, 8)
    assert best(np.append(even, 1.05), least) == least + 1


def test_methods_of_calibration() -> None:
    """One far value: absmax keeps it, the percentile lets go of it, squared error weighs."""
    quant = small().quant
    stats = calibrate.Statistics()
    values = np.append(np.random.default_rng(35).uniform(-0.9, 0.9, 20_000), 30.0)
    stats.note("layers.0.attn_out", values)
    fracs = {}
    for method, share in (("mse", 99.99), ("absmax", 99.99), ("percentile", 99.9)):
        chosen = quant.model_copy(update={"calibration": method, "percentile": share})
        fracs[method] = calibrate._activation(stats, chosen, "layers.0.attn_out").frac
    assert fracs["absmax"] == calibrate.covering_frac(30.0, 12) == 6
    assert fracs["percentile"] == calibrate.covering_frac(0.9, 12) == 11
    assert fracs["absmax"] <= fracs["mse"] <= fracs["percentile"]
    assert stats.percentile("layers.0.attn_out", 100) == 30.0


@pytest.mark.parametrize("method", ["mse", "absmax", "percentile"])
def test_what_calibration_saw_travels_with_the_artefact(method: str) -> None:
    config = small({"calibration": method, "percentile": 99.0, "kv_bits": 5})
    qm = random_model(config, 36, VOCAB)
    seen = qm.meta["calibration"]
    assert (seen["method"], seen["percentile"]) == (method, 99.0)
    assert seen["windows"] == 28
    for index in range(2):
        for stage in ("q", "k", "v", "attn_out", "ffn_hidden", "attn_residual"):
            name = f"layers.{index}.{stage}"
            row, fmt = seen["stages"][name], qm.formats[name]
            assert row["frac"] == fmt.frac
            assert 0 < row["percentile"] <= row["absmax"]
            if method == "absmax" and stage in ("attn_out", "v"):
                assert row["absmax"] <= fmt.max_int * fmt.step
    assert json.loads(json.dumps(seen)) == seen


def test_a_gelu_range_that_ends_where_the_table_does_loses_nothing() -> None:
    """A hidden layer of 8 bits between -0.17 and 3.8 has 6 fraction bits, although with a bit more
    -4 is no code of its input."""
    folded = fold(random_params(small(activation="gelu"), 33, VOCAB), small().model)
    folded = dataclasses.replace(folded, config=small(activation="gelu").model)
    stats = calibrate.Statistics()
    stats.absmax = {f"layers.{i}.ffn_hidden.z": 5.0 for i in range(2)}
    formats = {f"layers.{i}.ffn_hidden": QFormat(8, 6 + i, False) for i in range(2)}
    calibrate._share_bump(formats, folded, stats, small().quant)
    (fmt,) = set(formats.values())
    assert fmt == calibrate.hidden_format("gelu", 8, 6) == QFormat(8, 6, False, 11)
    assert fmt.ends == (-11 / 64, (255 - 11) / 64)


def test_what_rounding_adds_on_average_is_taken_off() -> None:
    """A channel that is always 0.03 becomes 0 in units of 1/16; the bias of o makes up for it."""
    stats, fmt = calibrate.Statistics(), QFormat(8, 4)
    rows = np.tile([0.03, 0.5, -0.04], (40, 1))
    stats.note("layers.0.attn_out", rows)
    assert np.allclose(stats.rounding_mean("layers.0.attn_out", fmt), [-0.03, 0.0, -0.0225])
    config = small({"act_bits": 8, "kv_bits": 16, "residual_bits": 16}, activation="gelu")
    qm = random_model(config, 39, VOCAB)
    folded = turned(fold(random_params(config, 39, VOCAB), config.model))
    down, bias = qm.layers[0].down, np.linspace(-1, 1, 12)
    assert down.in_zero > 0
    assert np.abs(real_bias(with_bias("", down, bias)) - bias).max() < 2.0 ** -(down.out_frac + 4)
    shifted = down.bias - with_bias("", down, folded.layers[0].down.bias).bias
    assert np.abs(shifted).max() > 16  # more than one unit of the output


def test_qformat() -> None:
    fmt = QFormat(8, 4)
    assert fmt.encode(np.array([0.03125, -0.03125, 9.0, -9.0])).tolist() == [1, 0, 127, -127]
    assert fmt.decode(np.array([-16, 8])).tolist() == [-1.0, 0.5]
    assert (QFormat(12, 12, False).max_int, QFormat(12, 12, False).min_int) == (4095, 0)
    assert (str(fmt), str(QFormat(12, 0, False))) == ("s8.4", "u12.0")
    lifted = QFormat(8, 6, False, 11)
    assert lifted.encode(np.array([-1.0, -11 / 64, 0.0, 5.0])).tolist() == [0, 0, 11, 255]
    assert lifted.decode(np.array([0, 11, 75])).tolist() == [-11 / 64, 0.0, 1.0]
    assert (lifted.signed_bits, fmt.signed_bits, str(lifted)) == (9, 8, "u8.6 (0 is 11)")


def test_compensated_rounding_beats_nearest_on_its_inputs() -> None:
    rng = np.random.default_rng(35)
    mixing = rng.normal(size=(6, 24))
    x = rng.normal(size=(500, 6)) @ mixing + 0.1 * rng.normal(size=(500, 24))
    gram = x.T @ x / len(x)
    weight = rng.normal(size=(10, 24))
    fracs = rounding.covering_fracs(weight, 4)
    plain = rounding.nearest(weight, fracs, 4)
    better = rounding.compensated(weight, fracs, 4, gram)
    before = rounding.output_error(weight, plain, fracs, gram)
    after = rounding.output_error(weight, better, fracs, gram)
    assert after.sum() < before.sum() / 3
    delta = (better - weight * 2.0 ** fracs[:, None]) @ x.T / 2.0 ** fracs[:, None]
    assert np.allclose((delta**2).mean(axis=1), after)
    codes, chosen = rounding.choose(weight, 4, gram)
    assert codes.dtype == np.int8
    assert (rounding.output_error(weight, codes.astype(float), chosen, gram) <= after + 1e-12).all()
    assert np.array_equal(rounding.compensated(weight, fracs, 4, np.eye(24)), plain)


def test_an_unused_input_and_a_zero_row_do_no_harm() -> None:
    rng = np.random.default_rng(36)
    x = rng.normal(size=(50, 8)) * (np.arange(8) != 3)
    weight = rng.normal(size=(4, 8))
    weight[2] = 0
    codes, fracs = rounding.choose(weight, 8, x.T @ x / 50)
    assert not codes[2].any()
    assert np.abs(codes * 2.0 ** -fracs[:, None] - weight).max() < 0.1


def test_a_dead_model_still_quantises() -> None:
    config = small()
    params = random_params(config, 37, VOCAB)
    for name in ("layers.0.qkv.weight", "layers.1.ffn_up.weight", "layers.1.ffn_up.bias"):
        params[name][...] = 0
    params["layers.0.qkv.bias"][...] = 0
    folded = fold(params, config.model)
    tokens = np.zeros((2, 9), int)
    qm = quantize(folded, calibrate.collect(folded, tokens), config.quant, TOKENIZER)
    assert GoldenModel(qm).forward(tokens).shape == (2, 9, VOCAB)


def test_what_cannot_be_quantised_is_named() -> None:
    config = small()
    params = random_params(config, 38, VOCAB)
    folded = fold(params, config.model)
    tokens = np.zeros((2, 9), int)
    with pytest.raises(UserError, match="calibration_windows"):
        calibrate.collect(folded, tokens[:0])
    q = quantize(folded, calibrate.collect(folded, tokens), config.quant, TOKENIZER).layers[1].q
    with pytest.raises(UserError, match=r"layers\.1\.q: a bias of 1e\+09 does not fit"):
        with_bias("layers.1.q", q, np.array([1e9]))
    far = dataclasses.replace(folded, eps=1e30)
    with pytest.raises(UserError, match=r"eps_int is \d+, outside .*too far apart: train it again"):
        quantize(far, calibrate.collect(folded, tokens), config.quant, TOKENIZER)
    for name, table in (("embed.weight", "embed_tok"), ("positions.weight", "embed_pos")):
        absurd = random_params(config, 38, VOCAB)
        absurd[name][3, 2] = 1e15
        far = fold(absurd, config.model)
        with pytest.raises(UserError, match=rf"^{table}: one value is 1e\+15; .* train it again"):
            quantize(far, calibrate.collect(far, tokens), config.quant, TOKENIZER)
    params["layers.1.ffn_up.weight"][2, 3] = np.nan
    with pytest.raises(UserError, match=r"layers\.1\.ffn_hidden.* not finite"):
        calibrate.collect(fold(params, config.model), tokens)


def test_score_of_known_distributions() -> None:
    real = np.log(np.array([[[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]]))
    integer = np.log(np.array([[[0.25, 0.5, 0.25], [0.1, 0.1, 0.8]]]))
    both = score.summarise(score.compare(real, integer, np.array([[0, 2]])))
    assert both.tokens == 2
    assert both.same_argmax == 0.5
    assert np.isclose(both.loss_increase, np.log(2) / 2)
    assert np.isclose(both.kl, 0.25 * np.log(2) / 2)
    assert np.isnan(both.kl_se)
    masked = score.summarise(score.compare(real, integer, np.array([[-1, 2]])))
    assert (masked.tokens, masked.same_argmax) == (1, 1.0)
    assert abs(masked.kl) < 1e-12


def test_exact_answers_of_any_length() -> None:
    """Only what the loss looks at decides, and one wrong token of a row is enough."""
    targets = np.array([[-1, 3, 1, -1], [-1, -1, 2, 1], [-1, 0, -1, -1]])
    logits = np.eye(4)[np.maximum(targets, 0)]  # [3, 4, 4]
    assert score.exact(logits, targets) == 3
    logits[0, 3], logits[1, 0] = np.eye(4)[2], np.eye(4)[3]
    assert score.exact(logits, targets) == 3
    logits[1, 3] = np.eye(4)[2]
    assert score.exact(logits, targets) == 2


def test_questions_travel_with_their_answers() -> None:
    task = tasks.load(question_config(data={"largest": 99, "max_arguments": 5}))
    pairs = pipeline.questions(task)
    assert len(pairs) == 40
    for question, answer in pairs:
        words = task.tokenizer.decode(question + answer)
        assert re.fullmatch(r"[A-Z][a-z]+ \( [0-9 ,]+ \) -> [0-9 ]+ <eos>", words)
    assert {len(answer) for _, answer in pairs} == {2, 3}
    assert json.loads(json.dumps(pairs)) == pairs


@pytest.fixture(params=["char", "bpe"])
def trained(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Config:
    """A config whose build folder holds an untrained model."""
    monkeypatch.setattr(schema, "BUILD_DIR", tmp_path)
    config = schema.load("tiny")
    data = config.data.model_copy(update={"tokenizer": request.param})
    config = config.model_copy(update={"data": data})
    save_random(config)
    return config


def test_checkpoint_to_artefact_and_report(trained: Config) -> None:
    model, task = pipeline.load_trained(trained)
    folded, stats = pipeline.prepare(trained, model, task)
    qm = pipeline.build(trained, model, task, folded, stats)
    result = pipeline.report(trained, model, task, folded, qm)
    qm.save(trained.build_dir / "quant", result, report_page.render(result))
    read = qmodel.load(trained.build_dir / "quant")
    assert qmodel.decode(read, qmodel.encode(read, read.meta["prompt"])) == "Once"
    assert result["score"]["tokens"] > 1000
    assert 0 < result["score"]["kl"] < 0.05
    text = pipeline.describe(result)
    assert "layers.0.ffn_hidden" in text
    assert "same argmax" in text
    assert result["stages"][0]["kl"] > 0
    written = trained.build_dir / "quant"
    assert json.loads((written / "report.json").read_text()) == json.loads(json.dumps(result))
    assert "layers.0.ffn_hidden" in (written / "report.html").read_text()
    again = pipeline.build(trained, model, task, *pipeline.prepare(trained, model, task))
    assert np.array_equal(again.layers[0].down.weight, qm.layers[0].down.weight)


def test_calibration_on_another_text(trained: Config) -> None:
    model, task = pipeline.load_trained(trained)
    path = trained.build_dir / "other.txt"
    length = task.validation.tokens.shape[1]
    count = trained.quant.calibration_windows
    text = model.tokenizer.decode(task.validation.tokens.reshape(-1).tolist())
    path.write_text(text * 20)
    windows = pipeline.windows_of(str(path), model, task, count).tokens
    assert windows.shape == (count, length)
    assert windows[0].tolist() == model.tokenizer.encode(path.read_text())[:length]
    _, stats = pipeline.prepare(trained, model, task, str(path))
    assert stats.windows == count
    path.write_text(text[: 3 * length])
    with pytest.raises(UserError, match=r"holds \d windows of \d+ tokens: give a longer") as error:
        pipeline.prepare(trained, model, task, str(path))
    assert "\n" not in str(error.value)
    if trained.data.tokenizer == "char":
        path.write_text("a ξένος text " * 9999)
        with pytest.raises(UserError, match="has not seen the characters"):
            pipeline.prepare(trained, model, task, str(path))
    with pytest.raises(UserError, match="cannot be read"):
        pipeline.prepare(trained, model, task, "nowhere.txt")


def test_questions_are_calibrated_on_their_own() -> None:
    task = tasks.load(question_config())
    with pytest.raises(UserError, match="leave out --calibration-text"):
        pipeline.windows_of("any.txt", None, task, 4)


def test_a_checkpoint_that_is_not_finite(trained: Config) -> None:
    model, _ = pipeline.load_trained(trained)
    model.params["layers.0.ffn_up.weight"][2, 3] = np.nan
    checkpoint.save(trained.build_dir / "model", model)
    with pytest.raises(UserError, match=r"layers\.0\.ffn_up\.weight is not all finite") as error:
        pipeline.load_trained(trained)
    assert "\n" not in str(error.value)
    assert not (trained.build_dir / "quant").exists()


def test_a_checkpoint_of_another_config_or_text(trained: Config) -> None:
    other = trained.model_copy(update={"model": trained.model.model_copy(update={"d_ff": 64})})
    with pytest.raises(UserError, match=r"another \[model\] section"):
        pipeline.load_trained(other)
    path = trained.build_dir / "other.txt"
    path.write_text("abc def " * 400)
    data = trained.data.model_copy(update={"text": str(path)})
    with pytest.raises(UserError, match="another text"):
        pipeline.load_trained(trained.model_copy(update={"data": data}))


def test_every_field_of_a_layer_is_kept(tmp_path: Path) -> None:
    qm = random_model(small(), 39, VOCAB)
    qm.save(tmp_path / "q")
    for before, after in zip(qm.layers, qmodel.load(tmp_path / "q").layers, strict=True):
        for field in dataclasses.fields(before):
            a, b = getattr(before, field.name), getattr(after, field.name)
            if dataclasses.is_dataclass(a):
                a, b = ({k: np.asarray(v).tolist() for k, v in vars(x).items()} for x in (a, b))
            assert a == b
