"""Checkpoints: whole or not at all, and every damage is one clear line."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from configs.cli import UserError
from configs.schema import ModelConfig
from model import checkpoint, transformer
from model.tokenizer import Tokenizer
from tests.model.helpers import MODEL


def example(seed: int = 1, **options: object) -> checkpoint.Checkpoint:
    config = ModelConfig(**(MODEL | options))
    params = transformer.init(config, 3, np.random.default_rng(seed))
    return checkpoint.Checkpoint(config, 3, params, Tokenizer("char", "\nab"), 0, "ab", 7, 1.25)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    checkpoint.save(tmp_path / "model", example())
    return tmp_path / "model"


def test_round_trip(folder: Path) -> None:
    saved, loaded = example(), checkpoint.load(folder)
    np.testing.assert_array_equal(loaded.params.flat, saved.params.flat)
    assert replace(loaded, params=None, tokenizer=None) == replace(
        saved, params=None, tokenizer=None
    )
    assert loaded.tokenizer.to_dict() == saved.tokenizer.to_dict()


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def edit_config(**values: object) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return edit


def edit_weights(path: Path, change: Callable[[dict, dict], object]) -> None:
    tensors, about = checkpoint.read_tensors(path, "")
    change(tensors, about)
    save_file(tensors, path, {"about": json.dumps(about)})


def other_version(path: Path) -> None:
    edit_weights(path, lambda _, about: about.update(version=0))


def other_format(path: Path) -> None:
    edit_weights(path, lambda _, about: about.clear())


def missing_tensor(path: Path) -> None:
    edit_weights(path, lambda tensors, _: tensors.pop("head.weight"))


def other_dtype(path: Path) -> None:
    edit_weights(path, lambda t, _: t.update({"head.weight": t["head.weight"].astype(np.float16)}))


def not_a_number(path: Path) -> None:
    edit_weights(path, lambda tensors, _: tensors["head.weight"].__setitem__((0, 0), np.nan))


def no_step(path: Path) -> None:
    edit_weights(path, lambda _, about: about.pop("step"))


CONFIG, WEIGHTS = "config.json", "weights.safetensors"


@pytest.mark.parametrize(
    ("name", "damage", "said"),
    [
        (CONFIG, Path.unlink, "no '"),
        (CONFIG, truncate, "damaged"),
        (CONFIG, lambda path: path.write_bytes(b""), "damaged"),
        (CONFIG, lambda path: path.write_text("[]"), "damaged"),
        (CONFIG, lambda path: path.write_bytes(b"\xff\xff"), "damaged"),
        (CONFIG, edit_config(version=0), "version 0"),
        (CONFIG, edit_config(format="other"), "not a Fixformer model"),
        (CONFIG, edit_config(model={"d_model": 7}), "damaged"),
        (CONFIG, edit_config(model=None), "damaged"),
        (CONFIG, edit_config(vocab_size=4), "damaged"),
        (CONFIG, edit_config(stop_token=3), "damaged"),
        (CONFIG, edit_config(tokenizer={"kind": "char"}), "damaged"),
        (CONFIG, edit_config(model=MODEL | {"d_ff": 13}), "does not belong"),
        (WEIGHTS, Path.unlink, "no '"),
        (WEIGHTS, truncate, "truncated"),
        (WEIGHTS, lambda path: path.write_bytes(b""), "truncated"),
        (WEIGHTS, lambda path: path.write_bytes(b"\xff" * 500), "truncated"),
        (WEIGHTS, other_version, "version 0"),
        (WEIGHTS, other_format, "not a Fixformer model"),
        (WEIGHTS, missing_tensor, "other tensors"),
        (WEIGHTS, other_dtype, "finite float32"),
        (WEIGHTS, not_a_number, "finite float32"),
        (WEIGHTS, no_step, "damaged"),
    ],
)
def test_damage(folder: Path, name: str, damage: Callable[[Path], None], said: str) -> None:
    damage(folder / name)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(UserError, match=said) as caught:
        checkpoint.load(folder)
    assert "\n" not in str(caught.value)
    assert "make train" in str(caught.value)
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}


def test_nothing_trained_yet(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no model in .* yet; train one \(`make train`\)"):
        checkpoint.load(tmp_path / "nothing")


def test_weights_of_another_model(folder: Path, tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "other", example(norm="layernorm"))
    (tmp_path / "other" / WEIGHTS).replace(folder / WEIGHTS)
    with pytest.raises(UserError, match="does not belong"):
        checkpoint.load(folder)


def test_a_save_that_dies_leaves_the_old_model(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", die)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(folder, example(seed=2))
    monkeypatch.undo()
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}
    checkpoint.save(folder, example(seed=2))
    assert before != {path.name: path.read_bytes() for path in folder.iterdir()}
