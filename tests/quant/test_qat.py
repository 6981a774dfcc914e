"""Training of the integer model: where it begins, exactness of its forward, what it brings."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from configs import schema
from configs.cli import UserError
from configs.schema import Config
from model import transformer
from model.interrupt import Interrupted
from model.tasks import Batch
from quant import latent, qat, qmodel, unfinished
from quant.golden import GoldenModel
from quant.latent import Latent
from quant.quantize import quantize
from quant.random import random_params
from tests.quant.helpers import first_difference, save_random, small
from tests.quant.qat_models import KINDS, TOKENIZER, TOKENS, VOCAB, prepared


def begun(bits: int, **kind: object) -> tuple[qmodel.QuantModel, Latent]:
    config = small({"weight_bits": bits}, **kind)
    folded, stats = prepared(config)
    qm = quantize(folded, stats, config.quant, TOKENIZER)
    return qm, Latent(folded, stats, qm)


def same(a: qmodel.QuantModel, b: qmodel.QuantModel) -> bool:
    """Every tensor of two artefacts equal, by what they would save."""
    pairs = [(a.embed_tok, b.embed_tok), (a.embed_pos, b.embed_pos)]
    assert len(a.encoder) == len(b.encoder)
    for (_, one), (_, other) in zip(latent.linears(a), latent.linears(b), strict=True):
        pairs += [(value, vars(other)[part]) for part, value in vars(one).items()]
    return all(np.array_equal(one, other) for one, other in pairs)


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("kind", [*KINDS[:3], KINDS[6]], ids=lambda kind: "-".join(kind))
def test_it_begins_at_the_artefact_to_the_bit(bits: int, kind: dict) -> None:
    qm, behind = begun(bits, **kind)
    assert same(behind.artefact(), qm)
    behind.params["head.weight"][0] *= -1
    assert not same(behind.artefact(), qm)


def test_gradients_of_weights_and_steps() -> None:
    """Straight through inside the codes, nothing beyond; a step that moves moves its codes."""
    qm, behind = begun(3)
    name, linear = "layers.0.q", qm.layers[0].q
    scale = 2.0 ** linear.weight_frac[:, None].astype(float)
    codes = np.clip(linear.weight + np.float64(0.25), -3, 3)
    codes[0, :2] = 5.0, -3.25
    behind.params[name + ".weight"][...] = codes / scale / behind.unit[name + ".weight"]
    now = behind.artefact()
    found = {
        f"{n}.{part}": np.ones(value.shape)
        for n, one in latent.linears(now)
        for part, value in (("weight", one.weight), ("bias", one.bias))
    }
    found |= {table: np.ones(getattr(now, table).shape) for table in ("embed_tok", "embed_pos")}
    grads = behind.params.like()
    behind.gradients(found, now, grads)
    unit = behind.unit[name + ".weight"]
    assert grads[name + ".weight"][0, 0] == 0
    assert np.allclose(grads[name + ".weight"][0, 1:], unit[0, 1:])
    moved = (now.layers[0].q.weight[0] - codes[0] * (codes[0] <= 3.5)) / scale[0]
    step = -np.log(2) * moved.sum() * behind.unit[name + ".step"][0]
    assert np.isclose(grads[name + ".step"][0], step)
    assert now.layers[0].q.weight[0, 0] == 3


def test_what_has_larger_gradients_moves_less() -> None:
    qm, behind = begun(4)
    squares = dict.fromkeys(behind.params, 1.0) | {"layers.0.o.weight": 16.0, "head.weight": 0.0}
    units = {name: unit.copy() for name, unit in behind.unit.items()}
    behind.pace(squares)
    assert same(behind.artefact(), qm)
    gain = {name: behind.unit[name].flat[0] / unit.flat[0] for name, unit in units.items()}
    assert np.isclose(gain["layers.1.o.weight"], 4 * gain["layers.0.o.weight"])
    assert gain["layers.1.o.weight"] == gain["layers.0.q.weight"] > 1
    assert gain["head.weight"] == gain["layers.0.o.bias"] == gain["embed_tok"] == 1


def test_weights_settle_at_their_codes() -> None:
    qm, behind = begun(4)
    before = behind.real("layers.1.up.weight")
    behind.settle(qm, 0.5)
    codes = latent.weights(qm)["layers.1.up"]
    scale = 2.0 ** qm.layers[1].up.weight_frac.astype(float)[:, None]
    inside = np.abs(before * scale) <= 7
    after = behind.real("layers.1.up.weight")
    assert np.allclose(after[inside], ((before + codes) / 2)[inside])
    assert np.array_equal(after[~inside], before[~inside])
    assert same(behind.artefact(), qm)


def test_what_changes_nothing_has_no_gradient() -> None:
    """A constant added to all keys shifts all scores of a query alike: rounding must not leave a
    gradient there, which nothing would ever bring back."""
    now = begun(4)[1].artefact()
    trace: dict[str, np.ndarray] = {}
    GoldenModel(now).forward(TOKENS, trace)
    logits = np.random.default_rng(1).normal(size=(*TOKENS.shape, VOCAB)).astype(np.float32)
    lesson = qat.lesson(Batch(TOKENS, TOKENS), logits)
    _, found = qat.gradients(small({}).model, now, lesson)
    for name in ("layers.0.k", "layers.1.k"):
        free = (np.abs(trace[name]) < now.formats[name].max_int).all(axis=(0, 1))
        assert free.any()
        size = np.abs(found[name + ".weight"]).max()
        assert np.abs(found[name + ".bias"][free]).max() < 1e-6 * size


def test_batches_come_back_in_turn() -> None:
    numbers = [qat.draw(step, 5) for step in range(3 * 5 * qat.TIMES)]
    assert numbers[:10] == 2 * list(range(5))
    assert {numbers.count(number) for number in numbers} == {qat.TIMES}
    assert max(numbers) == 3 * 5 - 1


def test_logits_that_are_kept_fit_into_memory() -> None:
    assert qat.in_turn(65) == qat.DRAWS
    assert qat.in_turn(50_000) == qat.LEAST_DRAWS
    for vocabulary in (100, 300, 1000):
        assert qat.in_turn(vocabulary) * qat.BATCH_TOKENS * vocabulary <= qat.KEPT


def test_divergence_of_known_distributions() -> None:
    wanted = np.log(np.array([[[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]]))
    logits = np.log(np.array([[[0.25, 0.5, 0.25], [0.7, 0.2, 0.1]]]))
    batch = Batch(np.array([[0, 0]]), np.array([[1, -1]]))
    kl, slope = qat.divergence(qat.lesson(batch, wanted), logits)
    assert np.isclose(kl, 0.25 * np.log(2))
    assert np.allclose(slope, [[[-0.25, 0.25, 0], [0, 0, 0]]])


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """A config whose build folder holds a model of random, lively weights."""
    monkeypatch.setattr(schema, "BUILD_DIR", tmp_path)
    config = schema.load("tiny")
    quant = config.quant.model_copy(update={"weight_bits": 4})
    config = config.model_copy(update={"quant": quant})
    save_random(config)
    return config


@pytest.mark.parametrize("kind", ["encoder", "encoder-decoder"])
def test_nothing_depends_on_what_stands_at_padding(kind: str) -> None:
    config = small({"weight_bits": 3}, kind=kind, activation="gelu")
    folded, stats = prepared(config)
    behind = Latent(folded, stats, quantize(folded, stats, config.quant, TOKENIZER))
    params = transformer.empty(config.model, VOCAB)
    params.flat[...] = random_params(config, 3, VOCAB).flat
    mask = np.arange(9) < np.array([[9], [5], [2]])
    targets = np.where(np.arange(9) == np.array([[8], [4], [1]]), 3, -1)
    results = []
    for padding in (0, 7):
        rows = np.where(mask, TOKENS, padding)
        batch = Batch(rows, targets, mask)
        if kind == "encoder-decoder":
            batch = Batch(TOKENS, targets, None, rows, mask)
        wanted = transformer.forward(params, batch.tokens, config.model, **batch.inputs)
        lesson = qat.lesson(batch, wanted)
        results.append(qat.gradients(config.model, behind.artefact(), lesson))
    assert results[0][0] == results[1][0] > 0
    assert set(results[0][1]) == {n for n in behind.params if not n.endswith(".step")}
    for name, gradient in results[0][1].items():
        assert np.isfinite(gradient).all()
        assert np.array_equal(gradient, results[1][1][name]), name


def test_it_helps_and_the_artefact_is_what_was_trained(trained: Config) -> None:
    """The forward of the training is the golden model's on the saved artefact, in every stage."""
    result = qat.run(trained, qat.Settings(steps=120), quiet=True)
    assert result["score"]["kl"] < 0.7 * result["ptq"]["score"]["kl"]
    assert result["qat"]["steps"] == 120
    text = qat.describe(result)
    assert "weights of 4 bits, 120 steps" in text
    assert "same argmax" in text
    folder = trained.build_dir / "quant"
    assert json.loads((folder / "report.json").read_text()) == result
    read = qmodel.load(folder)
    assert np.abs(read.head.weight).max() <= 7
    first = (folder / "qmodel.safetensors").read_bytes()
    qat.run(trained, qat.Settings(steps=120), quiet=True)
    assert (folder / "qmodel.safetensors").read_bytes() == first


def test_the_forward_is_the_golden_models(tmp_path: Path) -> None:
    """What a training step sees against the saved artefact, token by token, in every stage."""
    qm, behind = begun(4, **KINDS[2])
    rng = np.random.default_rng(9)
    behind.params.flat += 0.2 * rng.normal(size=behind.params.flat.size)
    now = behind.artefact()
    assert not same(now, qm)
    now.save(tmp_path / "quant")
    trace: dict[str, np.ndarray] = {}
    trace["logits"] = GoldenModel(now).forward(TOKENS, trace, kind=np.float32)
    assert "layers.0.attn_scores" not in trace
    seen, trace = trace, {name: value.astype(np.int64) for name, value in trace.items()}
    assert all(np.array_equal(value, trace[name]) for name, value in seen.items())
    golden = GoldenModel(qmodel.load(tmp_path / "quant"))
    for row, tokens in enumerate(TOKENS):
        state = golden.new_state()
        for position, token in enumerate(tokens):
            want = golden.step(state, int(token), sample=True)
            got = {name: trace[name][row, position] for name in want if name in trace}
            for name in got:
                if name.endswith(("scores", "probs")):
                    got[name] = got[name][:, : position + 1]
            want = {name: want[name] for name in got}
            assert first_difference(want, got) is None
            assert {"logits", "embed", "layers.1.ffn_gate", "layers.0.attn_probs"} <= set(got)
    got["logits"] = got["logits"] + 1
    assert first_difference(want, got) is not None


def test_a_training_by_the_clock_ends() -> None:
    _, behind = begun(4)
    run = unfinished.fresh(behind)
    settings = qat.Settings(minutes=0.5)
    parts = []
    for run.clock in (0.0, 15.0, 30.0, 31.0):
        parts.append(qat.progress(settings, run))
    assert parts == [0, 0.5, 1, 1]
    run.step = 3
    assert qat.progress(qat.Settings(steps=4), run) == 0.75


def stop_at(monkeypatch: pytest.MonkeyPatch, step: int, number: int = signal.SIGINT) -> None:
    """Send this process a signal during the given step (once)."""
    original, count = Latent.settle, [0]

    def counted(*args: object) -> None:
        count[0] += 1
        if count[0] == step:
            os.kill(os.getpid(), number)
        original(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(Latent, "settle", counted)


def test_an_interrupted_training_goes_on(trained: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, folder = qat.Settings(steps=12), trained.build_dir / "quant"
    state = trained.build_dir / "qat" / "last.safetensors"
    qat.run(trained, settings, quiet=True)
    whole = (folder / "qmodel.safetensors").read_bytes()
    assert not state.parent.exists()
    (folder / "qmodel.safetensors").write_bytes(b"old")
    for step, number in ((5, signal.SIGINT), (3, signal.SIGTERM)):
        with monkeypatch.context() as patch:
            stop_at(patch, step, number)
            with pytest.raises(Interrupted, match="run again"):
                qat.run(trained, settings, quiet=True)
    assert (folder / "qmodel.safetensors").read_bytes() == b"old"
    broken = state.read_bytes()
    result = qat.run(trained, settings, quiet=True)
    assert result["qat"]["steps"] == 12
    assert (folder / "qmodel.safetensors").read_bytes() == whole
    assert not state.parent.exists()
    state.parent.mkdir()
    state.write_bytes(broken)  # of other settings: not gone on with
    other = qat.run(trained, qat.Settings(steps=2), quiet=True)
    assert other["qat"]["steps"] == 2
    state.parent.mkdir()
    state.write_bytes(broken[:1000])
    with pytest.raises(UserError, match="--fresh"):
        qat.run(trained, settings, quiet=True)
    qat.run(trained, settings, quiet=True, resume=False)
    assert (folder / "qmodel.safetensors").read_bytes() == whole


def test_an_interrupted_training_leaves_the_old_artefact(
    trained: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    qat.run(trained, qat.Settings(steps=1), quiet=True)
    before = {p.name: p.read_bytes() for p in (trained.build_dir / "quant").iterdir()}
    calls = []

    def interrupt(*_: object) -> None:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(Latent, "settle", interrupt)
    with pytest.raises(KeyboardInterrupt):
        qat.run(trained, qat.Settings(steps=9), quiet=True)
    after = {p.name: p.read_bytes() for p in (trained.build_dir / "quant").iterdir()}
    assert after == before
    assert sorted(p.name for p in trained.build_dir.iterdir()) == ["model", "quant"]


def test_numbers_that_run_away_are_said(trained: Config) -> None:
    with pytest.raises(UserError, match="learning-rate"):
        qat.run(trained, qat.Settings(steps=9, learning_rate=1e300), quiet=True)
    assert not (trained.build_dir / "quant").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--weight-bits", "9"], "choose 2 (-1, 0, 1) to 8"),
        (["--minutes", "0"], "--minutes 0.0: give a number above 0"),
        (["--learning-rate", "nan"], "--learning-rate nan: give a number above 0"),
        (["--steps", "0"], "argument --steps"),
        (["--config", "nope"], "no config 'nope'"),
    ],
)
def test_bad_options_are_one_line(root: Path, options: list[str], message: str) -> None:
    command = [sys.executable, "-m", "quant.qat", *options]
    result = subprocess.run(command, cwd=root, env=os.environ, capture_output=True, text=True)
    assert result.returncode == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert not result.stdout
