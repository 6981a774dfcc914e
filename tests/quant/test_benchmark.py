"""The benchmark of the integers: what it writes, and that it leaves the user's folders alone."""

from __future__ import annotations

import functools
import os
import signal
import sys
from pathlib import Path

import pytest

from configs import measure, schema
from configs.cli import UserError
from configs.schema import Config
from model.interrupt import Interrupted
from quant import benchmark, qat, tables
from quant.latent import Latent
from tests.quant.helpers import save_random

SCORE = {
    "tokens": 100,
    "float_loss": 1.0,
    "integer_loss": 1.002,
    "loss_increase": 0.002,
    "loss_increase_se": 0.0005,
    "same_argmax": 0.991,
    "same_argmax_se": None,
    "kl": 0.0004,
}


def test_the_table() -> None:
    plain = {"model": "m", "setting": "W4", "score": SCORE}
    exact = {"float": 9, "integer": 8, "questions": 10}
    entries = [plain, plain | {"qat": {"steps": 9000, "cpu_seconds": 61.2}, "exact_answers": exact}]
    host = measure.host() | {"load_before": 0.0, "load_after": 0.0}
    result = {"command": "c", "seed": 1, "host": host, "versions": {}}
    text = benchmark.markdown(result | {"entries": entries, "quantise": {"cpu": 7.85}})
    assert "7.8 CPU s" in text or "7.9 CPU s" in text
    assert "| m | W4 | 1.00000 | +0.00200 ± 0.00050 | 99.10 ± 0.00 % | 0.000400 | - |" in text
    assert "W4, 9,000 steps in 61 CPU s" in text
    assert "float 9, integer 8 of 10" in text


def test_the_models_integers_stay_as_they_are() -> None:
    config = schema.load("tiny").model_copy(update={"name": "apart"})
    (config.build_dir / "model").mkdir(parents=True, exist_ok=True)
    kept = config.build_dir / "model" / "weights"
    kept.write_text("kept")
    with benchmark.apart(config) as ours:
        copy = ours.build_dir / "model" / "weights"
        assert copy.read_text() == "kept"
        copy.write_text("changed")
    assert kept.read_text() == "kept"
    assert not ours.build_dir.exists()
    kept.unlink()
    kept.parent.rmdir()
    config.build_dir.rmdir()


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """A config with a model of random weights; trainings of four steps."""
    monkeypatch.setattr(schema, "BUILD_DIR", tmp_path)
    monkeypatch.setattr(benchmark, "FOLDER", tmp_path / "bench")
    monkeypatch.setattr(qat, "Settings", functools.partial(qat.Settings, steps=4))
    config = schema.load("tiny")
    save_random(config)
    return config


def test_what_is_measured_is_kept(tiny: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, trained = benchmark.W8, benchmark.W4
    row, rows = benchmark.measured(tiny, plain), benchmark.measured(tiny, trained)
    assert [len(row), len(rows)] == [1, 2]
    assert rows[1]["qat"]["steps"] == 4
    assert sorted(p.name for p in tiny.build_dir.parent.iterdir()) == ["bench", "tiny"]
    calls: list[Config] = []

    def again(config: Config, *args: object, **more: object) -> dict:
        calls.append(config)
        return {"model": "x", "ptq": {}, "score": {}}

    monkeypatch.setattr(qat, "run", again)
    assert benchmark.measured(tiny, trained) == rows
    assert benchmark.kept("tiny", trained) == rows
    assert not calls
    real = tables.recip_table
    with monkeypatch.context() as patch:
        patch.setattr(tables, "recip_table", lambda *args: real(*args) - 1)
        benchmark.measured(tiny, trained)
    assert len(calls) == 1  # no integer may be another
    calls.clear()
    other = tiny.model_copy(update={"train": tiny.train.model_copy(update={"seed": 9})})
    benchmark.measured(other, trained)  # of other windows
    benchmark.measured(other, trained, fresh=True)
    assert len(calls) == 2
    monkeypatch.setattr(benchmark, "STEPS", {"tiny": 5})
    benchmark.measured(tiny, trained)  # of another length
    assert len(calls) == 3
    for damage in ("", "[]", '{"entries": 1}'):
        benchmark.path_of("tiny", plain).write_text(damage)
        assert benchmark.kept("tiny", plain) == []
    assert benchmark.measured(tiny, plain) == row


def test_an_interrupted_training_is_there_to_go_on(
    tiny: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, calls = Latent.settle, [0]

    def counted(*args: object) -> None:
        calls[0] += 1
        if calls[0] == 2:
            os.kill(os.getpid(), signal.SIGINT)
        original(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(Latent, "settle", counted)
    with pytest.raises(Interrupted):
        benchmark.measured(tiny, benchmark.W4)
    assert benchmark.kept("tiny", benchmark.W4) == []
    benchmark.measured(tiny, benchmark.W4)
    assert calls[0] == 4
    assert sorted(p.name for p in tiny.build_dir.parent.iterdir()) == ["bench", "tiny"]


def test_an_unknown_model_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["x", "--only", "novels"])
    with pytest.raises(UserError, match="--only novels: choose from stories,shakespeare"):
        benchmark.main()


def test_every_model_and_option_exists() -> None:
    assert set(benchmark.MODELS) <= {*schema.available(), "shakespeare"}
    for settings in benchmark.MODELS.values():
        for setting in settings:
            schema.QuantConfig.model_validate(schema.QuantConfig().model_dump() | setting.options)
