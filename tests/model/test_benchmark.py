"""The float model's benchmark: what it computes and writes; nothing is tested for speed."""

from __future__ import annotations

import sys
import time

import numpy as np
import pytest

from configs import measure, schema
from configs.cli import UserError
from model import benchmark, steps


def burn(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_works_are_measured_in_turn_and_in_cpu_time() -> None:
    calls: list[str] = []

    def work(name: str, seconds: float) -> None:
        calls.append(name)
        burn(seconds)
        time.sleep(0.1)  # which costs no CPU time

    times = benchmark.in_turn(
        {"a": lambda: work("a", 0.01), "b": lambda: work("b", 0.03)}, repeats=2, seconds=0.001
    )
    assert calls == ["a", "b", "a", "b", "a", "b"]  # first to warm up
    assert all(0.009 < value < 0.1 for value in times["a"])
    assert all(0.029 < value < 0.1 for value in times["b"])


@pytest.mark.parametrize("shape", steps.SHAPES, ids=range(len(steps.SHAPES)))
def test_a_measured_step_learns(shape: steps.Shape) -> None:
    """The benchmark measures real steps: repeated on one batch, the loss of the model falls."""
    small = shape._replace(batch=2, length=8)
    tokens, targets = steps.batch(small)
    assert (targets[:, -2:] >= 0).all()
    assert (targets[:, :-2] >= 0).all() == (not shape.answers)
    losses = [steps.our_step(small)()]
    step = steps.our_step(small)
    losses += [step() for _ in range(12)]
    assert losses[0] == losses[1]  # the seeds are fixed
    assert losses[-1] < 0.9 * losses[0]
    assert tokens.max() < shape.vocab_size


def test_the_memory_of_a_step_is_that_of_its_arrays() -> None:
    low, high = (
        float(measure.run("model.steps", "ours", str(index))[0].split(":")[1].strip(" }\n"))
        for index in (3, 2)
    )
    assert 1 < low < 16  # MiB; the activations of 960 positions, and
    assert 32 < high < 128  # of 4096


def test_the_table_has_ratios_only_where_there_is_a_peer() -> None:
    figure = measure.figure([1.0, 2.0, 3.0], "ms", "how")
    text = benchmark.markdown(
        {
            "command": "c",
            "seed": 1,
            "host": {
                "processor": "P",
                "cores": 2,
                "memory_gib": 8.0,
                "load_before": 0.1,
                "load_after": 0.2,
            },
            "versions": {"numpy": "2"},
            "rows": {
                "both": {"ours": figure, "torch": measure.figure([4.0], "ms", "how")},
                "alone": {"ours": figure},
            },
        }
    )
    assert "| both | ms | 2 | 1 .. 3 | 4 | 0.500 |" in text
    assert "| alone | ms | 2 | 1 .. 3 |  |  |" in text


def test_training_afresh_leaves_nothing_behind() -> None:
    config = schema.parse(
        "quick",
        {
            "model": {"d_model": 8, "n_heads": 2, "n_layers": 1, "d_ff": 8, "context": 16},
            "data": {"task": "digits", "tokenizer": "word", "prompt": "Max ( 5 3 9 ) ->"},
            "train": {"steps": 2, "eval_every": 2, "warmup_steps": 0},
        },
    )
    trained, task, seconds = benchmark.afresh(config)
    assert trained.step == 2
    assert task.validation.tokens.max() < trained.vocab_size
    assert seconds > 0
    assert not (schema.BUILD_DIR / "quick-bench").exists()
    assert not (benchmark.FOLDER / "quick-bench.toml").exists()


def test_an_unknown_part_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["x", "--only", "steps"])
    with pytest.raises(UserError, match="--only steps: choose from step,decode"):
        benchmark.main()


def test_the_blas_in_use_is_named() -> None:
    assert np.ones((2, 2)) @ np.ones(2) is not None
    assert "openblas" in benchmark.blas_kernels()
