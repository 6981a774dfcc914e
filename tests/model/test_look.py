"""Looking at a trained model: attention maps, accuracy bars, questions and answers."""

from __future__ import annotations

import io
import math
import sys
from pathlib import Path

import numpy as np
import pytest

from configs import schema
from configs.cli import UserError
from configs.schema import ModelConfig
from model import ask, checkpoint, evaluate, generate, look, plot, tasks, train, transformer
from model.tokenizer import Tokenizer
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
    ((title, maps, rows, columns),) = look.attention(trained, tokens)
    assert (title, rows, columns) == ("layer 0", PROMPT.split(), PROMPT.split())
    stages: dict[str, np.ndarray] = {}
    transformer.forward(trained.params, np.array([tokens]), trained.config, stages)
    heads, size = trained.config.n_heads, trained.config.d_head
    q, k = (stages[f"layers.0.{name}"][0].reshape(-1, heads, size) for name in "qk")
    for head in range(heads):
        for here in range(len(tokens)):
            e = np.exp(k[: here + 1, head] @ q[here, head] / math.sqrt(size))
            np.testing.assert_allclose(maps[head, here, : here + 1], e / e.sum(), rtol=1e-4)
            assert not maps[head, here, here + 1 :].any()


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


def random_model(kind: str) -> checkpoint.Checkpoint:
    """Of two layers, that reads and writes the letters a, b and c."""
    config = ModelConfig(
        d_model=16, n_heads=4, n_layers=2, d_ff=8, context=12, kind=kind, positions="rotary"
    )
    tokenizer = Tokenizer.of("a b c -> <eos>", "word")
    params = transformer.init(config, 5, np.random.default_rng(1))
    return checkpoint.Checkpoint(config, 5, params, tokenizer, 1, "a b ->", 1, 0.0)


def test_an_encoder_looks_both_ways() -> None:
    trained = random_model("encoder")
    maps = look.attention(trained, *generate.read(trained, "a b c ->"))
    assert [one.title for one in maps] == ["layer 0", "layer 1"]
    for one in maps:
        assert one.rows == one.columns == ["a", "b", "c", "->"]
        np.testing.assert_allclose(one.probs.sum(axis=2), 1, rtol=1e-6)
        assert (np.triu(one.probs, 1)[:, :-1].sum(axis=2) > 0).all()


def test_an_encoder_decoder_has_three_sorts_of_maps(tmp_path: Path) -> None:
    trained = random_model("encoder-decoder")
    tokens, source = generate.read(trained, "c a b a -> a b")
    assert source is not None
    maps = look.attention(trained, tokens, source)
    asked, told = ["c", "a", "b", "a"], ["->", "a", "b"]
    sorts = [("encoder, layer {}", asked, asked), ("layer {}", told, told)]
    sorts.append(("layer {} to encoder", told, asked))
    assert [(one.title, one.rows, one.columns) for one in maps] == [
        (title.format(layer), rows, columns) for title, rows, columns in sorts for layer in range(2)
    ]
    for one in maps:
        assert one.probs.shape == (4, len(one.rows), len(one.columns))
        np.testing.assert_allclose(one.probs.sum(axis=2), 1, rtol=1e-6)
        ahead = np.triu(one.probs, 1).any()
        assert ahead == (one.columns == asked)  # only within the answer nobody looks ahead

    # By hand, the last layer's look into the encoder: q of the decoder, k of the encoder's output.
    stages: dict[str, np.ndarray] = {}
    inputs = {"source": source[None]}
    transformer.forward(trained.params, np.array([tokens]), trained.config, stages, **inputs)
    memory = transformer.encode(trained.params, source[None], trained.config)[0]
    q = stages["layers.1.cross_norm"][0] @ trained.params["layers.1.cross_q.weight"]
    k = memory @ trained.params["layers.1.cross_kv.weight"][:, :16]
    for head in range(4):
        part = slice(4 * head, 4 * head + 4)
        e = np.exp(q[:, part] @ k[:, part].T / 2)
        np.testing.assert_allclose(
            maps[-1].probs[head], e / e.sum(axis=1, keepdims=True), rtol=1e-4, atol=1e-7
        )
    plot.attention(tmp_path / "attention.png", maps, "letters")
    assert (tmp_path / "attention.png").read_bytes().startswith(b"\x89PNG")


def test_the_look_command_says_what_the_columns_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(schema, "BUILD_DIR", tmp_path)
    checkpoint.save(tmp_path / "reverse" / "model", random_model("encoder-decoder"))
    monkeypatch.setattr(sys, "argv", ["look", "--config", "reverse", "--prompt", "a b c -> c"])
    look.main()
    out = capsys.readouterr().out
    assert "layer 1 to encoder, head 3 (columns: a b c)\n-> │" in out
    assert "encoder, layer 0, head 0\na │" in out
    monkeypatch.setattr(sys, "argv", ["look", "--config", "reverse", "--prompt", "-> c"])
    with pytest.raises(UserError, match="what comes before `->` has 0 tokens"):
        look.main()


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
