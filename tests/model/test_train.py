"""Training: it learns, it continues bit for bit, it stops when told, and it says what is wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from configs.cli import UserError
from configs.schema import TrainConfig
from model import checkpoint, evaluate, optim, tasks, train, transformer
from tests.model.helpers import corpus, digits_config, text_config

FILES = ("config.json", "weights.safetensors", "last.safetensors", "metrics.jsonl")


@pytest.fixture
def text(tmp_path: Path) -> Path:
    return corpus(tmp_path / "text.txt")


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


def stop_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Send this process SIGINT during the given step (once)."""
    original, count = transformer.loss_and_gradients, [0]

    def counted(*args: object) -> float:
        count[0] += 1
        if count[0] == step:
            os.kill(os.getpid(), signal.SIGINT)
        return original(*args)

    monkeypatch.setattr(transformer, "loss_and_gradients", counted)


def test_it_learns(text: Path, tmp_path: Path) -> None:
    config = text_config(text, steps=200, eval_every=100, batch_size=8)
    assert train.train(config, tmp_path / "model", quiet=True)
    trained, task = checkpoint.load(tmp_path / "model"), tasks.load(config)
    assert trained.validation_loss < 0.8 * np.log(trained.vocab_size)
    assert evaluate.loss(trained.params, task, config.model) == trained.validation_loss
    records = [json.loads(line) for line in (tmp_path / "model/metrics.jsonl").open()]
    assert [record["step"] for record in records] == [100, 200]
    assert (tmp_path / "model/loss.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("steps", [[7], [10], [1, 12], [29], [3, 1, 1, 16]])
def test_resume_is_bit_for_bit(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: list[int]
) -> None:
    config = text_config(text)
    train.train(config, tmp_path / "straight", quiet=True)
    for step in steps:
        stop_at(monkeypatch, step)
        with pytest.raises(train.Interrupted, match="run again"):
            train.train(config, tmp_path / "broken", quiet=True)
        monkeypatch.undo()
    assert train.train(config, tmp_path / "broken", quiet=True)
    assert contents(tmp_path / "broken") == contents(tmp_path / "straight")


def test_what_is_done_is_not_done_again(text: Path, tmp_path: Path) -> None:
    config, folder = text_config(text), tmp_path / "model"
    assert train.train(config, folder, quiet=True)
    before = contents(folder)
    assert not train.train(config, folder, quiet=True)
    assert train.train(config, folder, resume=False, quiet=True)
    assert contents(folder) == before
    assert train.train(text_config(text, seed=2), folder, quiet=True)
    assert contents(folder) != before
    (folder / "loss.png").unlink()  # killed between the last step and the picture
    assert not train.train(text_config(text, seed=2), folder, quiet=True)
    assert (folder / "loss.png").is_file()
    (folder / "weights.safetensors").unlink()
    assert train.train(text_config(text, seed=2), folder, quiet=True)
    checkpoint.load(folder)


def test_a_new_run_keeps_the_old_model_until_it_has_a_better_one(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "model"
    train.train(text_config(text), folder, quiet=True)
    before = checkpoint.load(folder)
    stop_at(monkeypatch, 4)
    with pytest.raises(train.Interrupted):
        train.train(text_config(text, seed=2), folder, quiet=True)
    np.testing.assert_array_equal(checkpoint.load(folder).params.flat, before.params.flat)


@pytest.mark.parametrize("damage", [b"", b"\xff" * 300])
def test_damaged_state(text: Path, tmp_path: Path, damage: bytes) -> None:
    config, folder = text_config(text), tmp_path / "model"
    train.train(config, folder, quiet=True)
    (folder / "last.safetensors").write_bytes(damage)
    with pytest.raises(UserError, match="--fresh"):
        train.train(config, folder, quiet=True)
    checkpoint.load(folder)
    assert train.train(config, folder, resume=False, quiet=True)


def test_divergence_is_named(text: Path, tmp_path: Path) -> None:
    config = text_config(text, learning_rate=1e30, clip=1e30, warmup_steps=0)
    with np.errstate(all="ignore"), pytest.raises(UserError, match="learning_rate smaller"):
        train.train(config, tmp_path / "model", quiet=True)
    assert not (tmp_path / "model/weights.safetensors").exists()


def test_digits_report(tmp_path: Path) -> None:
    config = digits_config(steps=10)
    train.train(config, tmp_path / "model", quiet=True)
    text = evaluate.report(checkpoint.load(tmp_path / "model"), tasks.load(config), 1)
    assert "of 500" in text
    assert all(name in text for name in tasks.OPERATIONS)


def test_adamw_by_definition() -> None:
    """Three steps against the published formulas, in float64."""
    config = TrainConfig(steps=10, warmup_steps=2, weight_decay=0.2, clip=0.5, learning_rate=0.1)
    rng = np.random.default_rng(3)
    shapes = {"m.weight": (2, 3), "n_norm.weight": (3,)}
    params = transformer.Params(rng.normal(size=9), shapes)
    expected, mean, square = params.flat.copy(), 0.0, 0.0
    optimizer = optim.AdamW(params)
    for step in range(3):
        grads = transformer.Params(rng.normal(size=9), shapes)
        g = grads.flat / max(1.0, np.linalg.norm(grads.flat) / 0.5)
        rate = optim.learning_rate(config, step)
        mean = 0.9 * mean + 0.1 * g
        square = 0.99 * square + 0.01 * g * g
        expected[:6] *= 1 - rate * 0.2
        corrected = np.sqrt(square / (1 - 0.99 ** (step + 1))) + optim.EPS
        expected -= rate * mean / (1 - 0.9 ** (step + 1)) / corrected
        optimizer.update(params, grads, config, step)
        np.testing.assert_allclose(params.flat, expected, rtol=1e-12)


def test_learning_rate() -> None:
    config = TrainConfig(steps=100, warmup_steps=9, learning_rate=1.0, min_learning_rate=0.1)
    rates = [optim.learning_rate(config, step) for step in range(100)]
    np.testing.assert_allclose(rates[:10], np.arange(1, 11) / 10)
    assert all(np.diff(rates[9:]) < 0)
    assert rates[-1] == pytest.approx(0.1, abs=1e-3)


def test_command_line(text: Path, tmp_path: Path) -> None:
    """SIGTERM to the real program, then to the end, then text from it."""
    toml = tmp_path / "cli.toml"
    toml.write_text(
        "[model]\nd_model = 8\nn_heads = 2\nn_layers = 1\nd_ff = 8\ncontext = 16\n"
        f'[data]\ntext = "{text}"\nprompt = "the cat"\n'
        "[train]\nsteps = 1500\nbatch_size = 4\neval_every = 10\n"
    )
    code = "import sys, pathlib, configs.schema as s; s.BUILD_DIR = pathlib.Path(sys.argv.pop(1));"

    def command(module: str, *options: str) -> list[str]:
        start = f"{code} import model.{module} as m, configs.cli; configs.cli.run(m.main)"
        return [sys.executable, "-c", start, str(tmp_path), "--config", str(toml), *options]

    process = subprocess.Popen(command("train"), stdout=subprocess.PIPE, text=True)
    state = tmp_path / "cli/model/last.safetensors"
    deadline = time.monotonic() + 30
    while not state.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 130, out
    assert "run again" in out
    done = subprocess.run(command("train"), capture_output=True, text=True, check=True)
    assert "best validation loss" in done.stdout
    written = subprocess.run(
        command("generate", "--tokens", "5"), capture_output=True, text=True, check=True
    )
    assert written.stdout.startswith("the cat")
    wrong = subprocess.run(
        command("generate", "--prompt", "QQ é"), capture_output=True, text=True, check=False
    )
    assert wrong.returncode == 2
    assert wrong.stderr.count("\n") == 1
    assert "'Qé'" in wrong.stderr
