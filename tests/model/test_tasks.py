"""Data: splits that share nothing, targets that follow their tokens, texts that cannot serve."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from configs.cli import UserError
from model import tasks
from tests.model.helpers import corpus, text_config


def decode_rows(task: tasks.Task, rows: np.ndarray) -> list[str]:
    return [task.tokenizer.decode(row) for row in rows]


def test_stories_are_split_evenly_and_wholly(tmp_path: Path) -> None:
    lines = [f"Story {n} is about the number {n}. " + "It goes on. " * 10 for n in range(50)]
    train, held_out = tasks.split_stories("\n\n".join(lines), 0.1)
    held = [line for line in lines if line.strip() in held_out.split("\n")]
    assert held == [lines[n] for n in (9, 19, 29, 39, 49)]
    assert sorted((train + held_out).split()) == sorted("\n".join(lines).split())


def test_text_windows(tmp_path: Path) -> None:
    text = corpus(tmp_path / "text.txt")
    task = tasks.load(text_config(text))
    assert task.stop_token == task.tokenizer.ids["\n"]
    batch = task.train_batch(np.random.default_rng(1))
    assert batch.tokens.shape == batch.targets.shape == (4, 12)
    assert batch.tokens.dtype == np.int32
    np.testing.assert_array_equal(batch.tokens[:, 1:], batch.targets[:, :-1])
    assert task.calibration(7, np.random.default_rng(1)).tokens.shape == (7, 12)
    train, held_out = tasks.split_stories(text.read_text(), 0.1)
    assert all(row in train for row in decode_rows(task, batch.tokens))
    rows = decode_rows(task, task.validation.tokens)
    assert held_out.startswith("".join(rows))
    assert len(rows) == (len(held_out) - 1) // 12


@pytest.mark.parametrize("text", ["no line end at all, only words. " * 20, "short\nlines\n" * 40])
def test_other_text_is_split_by_position(tmp_path: Path, text: str) -> None:
    path = tmp_path / "text.txt"
    path.write_text(text)
    task = tasks.load(text_config(path))
    assert task.stop_token is None
    whole = task.tokenizer.decode(task._train)
    assert text.startswith(whole)
    assert len(whole) == len(text) - round(len(text) * 0.1)
    assert set(task.tokenizer.vocab) == set(text)


def test_prompt_falls_back_to_the_text(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("日本語のテキスト" * 50, encoding="utf-8")
    task = tasks.load(text_config(path))
    assert task.prompt
    assert task.tokenizer.encode(task.prompt)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b" \n\n ", "is empty"),
        (b"too short", "too short"),
        (b"a" * 1000, "one token"),
        (b"\xff\xfe broken", "not UTF-8"),
        (None, "cannot be read"),
    ],
)
def test_unusable_text(tmp_path: Path, data: bytes | None, said: str) -> None:
    path = tmp_path / "text.txt"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(UserError, match=said) as caught:
        tasks.load(text_config(path))
    assert "\n" not in str(caught.value)
