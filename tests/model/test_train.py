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

from configs import schema
from configs.cli import UserError
from model import checkpoint, evaluate, guard, optim, runs, tasks, train, transformer
from model.interrupt import Interrupted
from tests.model.helpers import corpus, question_config, text_config

FILES = ("config.json", "weights.safetensors", "last.safetensors", "metrics.jsonl")


@pytest.fixture
def text(tmp_path: Path) -> Path:
    return corpus(tmp_path / "text.txt")


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


def stop_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Send this process SIGINT during the given step (once)."""
    original, count = transformer.loss_and_gradients, [0]

    def counted(*args: object, **more: object) -> float:
        count[0] += 1
        if count[0] == step:
            os.kill(os.getpid(), signal.SIGINT)
        return original(*args, **more)

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
    resume(text_config(text), tmp_path, monkeypatch, steps)


@pytest.mark.parametrize("optimizer", optim.RULES)
def test_every_optimizer_resumes(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, optimizer: str
) -> None:
    config = text_config(text, optimizer=optimizer, accumulate=2, schedule="step", decay_every=7)
    resume(config, tmp_path, monkeypatch, [5, 24])


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("decoder", {"max_arguments": 5}),
        ("encoder", {"depth": 2}),
        ("encoder-decoder", {"task": "copy"}),
    ],
)
def test_every_kind_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, data: dict
) -> None:
    config = question_config(kind, data, accumulate=2)
    task = tasks.load(config)
    assert len({len(question) for question in task.questions}) > 1, "rows of different lengths"
    resume(config, tmp_path, monkeypatch, [5, 24])


def test_dropout_resumes(text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = text_config(text)
    model = config.model.model_copy(update={"dropout": 0.2})
    resume(config.model_copy(update={"model": model}), tmp_path, monkeypatch, [5, 24])
    train.train(config, tmp_path / "without", quiet=True)
    assert contents(tmp_path / "without") != contents(tmp_path / "straight")


@pytest.mark.parametrize("kind", ["decoder", "encoder", "encoder-decoder"])
def test_every_parameter_has_its_place(kind: str) -> None:
    """Whatever the kind, the guard sorts the names from the embedding to the head."""
    options = {"kind": kind, "bias": True, "norm": "layernorm", "tied_head": False, "n_layers": 2}
    names = transformer.empty(schema.ModelConfig(**options), 9)
    order = sorted(names, key=guard._place)
    assert order[:2] == ["embed.weight", "positions.weight"]
    assert order[-1] == "head.weight"
    layers = [name for name in order if name.startswith("layers.")]
    assert layers == sorted(layers, key=lambda name: name.split(".")[1])
    assert order.index(layers[0]) > order.index("positions.weight")
    if kind == "encoder-decoder":
        assert order.index("encoder.final_norm.weight") < order.index(layers[0])


def resume(
    config: schema.Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: list[int]
) -> None:
    """A run that is interrupted at `steps` leaves the files of one that is not."""
    train.train(config, tmp_path / "straight", quiet=True)
    for step in steps:
        stop_at(monkeypatch, step)
        with pytest.raises(Interrupted, match="run again"):
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
    with pytest.raises(Interrupted):
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
    with pytest.raises(UserError, match="learning_rate smaller"):
        train.train(config, tmp_path / "model", quiet=True)
    assert not (tmp_path / "model/weights.safetensors").exists()


def test_patience_ends_a_run_for_good(text: Path, tmp_path: Path) -> None:
    config = text_config(text, steps=500, patience=2, learning_rate=3.0, clip=1e9)
    assert train.train(config, tmp_path / "model", quiet=True)
    records = [json.loads(line) for line in (tmp_path / "model/metrics.jsonl").open()]
    losses = [record["validation_loss"] for record in records]
    assert len(losses) < 50
    assert losses.index(min(losses)) == len(losses) - 3
    assert not train.train(config, tmp_path / "model", quiet=True)


def test_accumulated_batches_are_one_large_one(text: Path, tmp_path: Path) -> None:
    """The same windows in one batch of 8, or in two of 4, give the same step."""
    params = []
    for settings in ({"batch_size": 8}, {"batch_size": 4, "accumulate": 2}):
        config = text_config(text, steps=1, **settings)
        task = tasks.load(config)
        run = runs.fresh(config, task)
        grads = run.params.like()
        train._gradients(config, task, run, grads, debug=True)
        params.append(grads.flat)
    np.testing.assert_allclose(params[1], params[0], rtol=1e-4, atol=1e-7)


def test_samples_and_warnings_are_told(text: Path, tmp_path: Path) -> None:
    """What `make train` prints: a sample, overfitting, and the end by patience."""
    config = text_config(text, sample_tokens=5, patience=1)
    task = tasks.load(config)
    run = runs.fresh(config, task)
    run.step, run.loss_sum, run.loss_count = 10, 30.0, 10
    trained = train._evaluate(config, tmp_path, task, run)
    assert "overfitting" not in train._told(config, run, trained)
    run.records[0]["validation_loss"] *= 0.5
    run.loss_sum, run.loss_count = 20.0, 10
    trained = train._evaluate(config, tmp_path, task, run)
    told = train._told(config, run, trained)
    assert "overfitting: validation was" in told.splitlines()[0]
    assert told.splitlines()[1].startswith("  the cat")
    assert told.splitlines()[-1].startswith("no better for 1 evaluations")


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("layers.0.ffn_up.weight", np.nan, r"step 4: parameter layers.0.ffn_up.weight \(holds nan"),
        ("final_norm.weight", np.inf, r"step 4: parameter final_norm.weight \(holds inf"),
    ],
)
def test_the_first_bad_tensor_is_named(
    text: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
    value: float,
    said: str,
    debug: bool,
) -> None:
    update = optim.Optimizer.update

    def spoil(self: object, params: transformer.Params, *args: object) -> None:
        update(self, params, *args)
        if args[-1] == 3:
            params[name].flat[2] = value

    monkeypatch.setattr(optim.Optimizer, "update", spoil)
    with pytest.raises(UserError, match=said) as caught:
        train.train(text_config(text), tmp_path / "model", quiet=True, debug=debug)
    assert "\n" not in str(caught.value)


def test_the_guard_walks_in_order(text: Path) -> None:
    """A stage that overflows, a gradient that does, and nothing."""
    config = text_config(text)
    task = tasks.load(config)
    run = runs.fresh(config, task)
    batch, grads = task.train_batch(np.random.default_rng(1)), run.params.like()
    assert guard.locate(run.params, batch, config, grads) is None
    guard.check(1.0, run.params, batch, config, grads, 0, debug=True)
    grads["embed.weight"][0, 0] = grads["head.weight"][0, 0] = np.nan
    found = guard.locate(run.params, batch, config, grads)
    assert found == "gradient of head.weight (holds nan)"
    grads["head.weight"][0, 0] = 0
    grads["positions.weight"][0, 0] = grads["layers.0.qkv.bias"][0] = np.inf
    grads["layers.0.ffn_up.weight"][0, 0] = -np.inf
    found = guard.locate(run.params, batch, config, grads)
    assert found == "gradient of layers.0.ffn_up.weight (holds -inf)"
    run.params["layers.0.ffn_up.bias"][0] = 3e38
    run.params["layers.0.ffn_down.weight"][0] = 3e38
    with (
        np.errstate(all="ignore"),
        pytest.raises(UserError, match=r"stage layers\.0\.ffn_residual"),
    ):
        guard.check(1.0, run.params, batch, config, run.params.like(), 9, debug=True)


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
