"""Looking at a trained model: attention maps, accuracy bars, questions and answers."""

from __future__ import annotations

import io
import math
import sys
from pathlib import Path

import numpy as np
import pytest

from configs import schema
from model import ask, checkpoint, evaluate, look, plot, tasks, train, transformer
from tests.model.helpers import digits_config

PROMPT = "Max ( 5 3 9 ) ->"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("build") / "digits" / "model"
    train.train(digits_config(), folder, quiet=True)
    return folder


@pytest.fixture
def trained(folder: Path) -> checkpoint.Checkpoint:
    return checkpoint.load(folder)


@pytest.fixture
def built(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The commands find the trained model there."""
    monkeypatch.setattr(schema, "BUILD_DIR", folder.parent.parent)
    return folder


def test_attention_is_that_of_the_weights(trained: checkpoint.Checkpoint) -> None:
    """Computed again from q and k, position by position."""
    tokens = trained.tokenizer.encode(PROMPT)
    (probs,) = look.attention(trained, tokens)
    stages: dict[str, np.ndarray] = {}
    transformer.forward(trained.params, np.array([tokens]), trained.config, stages)
    heads, size = trained.config.n_heads, trained.config.d_head
    q, k = (stages[f"layers.0.{name}"][0].reshape(-1, heads, size) for name in "qk")
    for head in range(heads):
        for here in range(len(tokens)):
            e = np.exp(k[: here + 1, head] @ q[here, head] / math.sqrt(size))
            np.testing.assert_allclose(probs[head, here, : here + 1], e / e.sum(), rtol=1e-4)
            assert not probs[head, here, here + 1 :].any()


def test_a_map_as_text() -> None:
    probs = np.array([[1.0, 0.0], [0.3, 0.7]])
    assert look.as_text(probs, ["a", "bc"]) == " a │██  \nbc │▒▒▓▓"
    wide = look.as_text(np.eye(look.WIDE + 1), ["x"] * (look.WIDE + 1))
    assert wide.splitlines()[1] == "x │ █" + " " * (look.WIDE - 1)


def test_the_look_command(
    built: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["look", "--config", "digits", "--prompt", PROMPT])
    look.main()
    out = capsys.readouterr().out
    assert "layer 0, head 1" in out
    assert out.count(" 5 │") == 2
    assert (built / "attention.png").read_bytes().startswith(b"\x89PNG")


def test_probabilities(trained: checkpoint.Checkpoint) -> None:
    likely = ask.candidates(trained, trained.tokenizer.encode(PROMPT))
    probabilities = [probability for _, probability in likely]
    assert len(likely) == ask.MOST
    assert probabilities == sorted(probabilities, reverse=True)
    assert 0 < probabilities[-1] < sum(probabilities) <= 1 + 1e-9
    logits = transformer.forward(
        trained.params, np.array([trained.tokenizer.encode(PROMPT)]), trained.config
    )[0, -1]
    (first, p), (second, r) = likely[:2]
    assert p / r == pytest.approx(math.exp(logits[first] - logits[second]), rel=1e-5)


def test_a_conversation(
    built: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["ask", "--config", "digits"])
    monkeypatch.setattr(sys, "stdin", io.StringIO("what?\nMax 5 3 9\n"))
    ask.main()
    out = capsys.readouterr().out
    assert "ask like `" in out
    assert out.count("%") == ask.MOST


def test_accuracy_per_operation(trained: checkpoint.Checkpoint, tmp_path: Path) -> None:
    task = tasks.load(digits_config())
    counts = evaluate.accuracy(trained, task)
    assert list(counts) == ["First", "Last", "Max", "Min", "Second"]
    hits = evaluate.hits(trained.params, task, trained.config)
    assert sum(right for right, _ in counts.values()) == hits.sum()
    assert sum(count for _, count in counts.values()) == len(hits) == 500
    plot.accuracy(tmp_path / "accuracy.png", counts, "digits")
    assert (tmp_path / "accuracy.png").read_bytes().startswith(b"\x89PNG")


def test_bars() -> None:
    assert [evaluate.bar(part, 2) for part in (0, 1 / 16, 0.5, 0.75, 1)] == [
        "",
        "▏",
        "█",
        "█▌",
        "██",
    ]
