"""An artefact that was trained stays, or is refused by name; any other one is nobody's concern."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from configs import schema
from configs.cli import UserError
from configs.schema import Config
from quant import keep, pipeline, qmodel
from tests.quant.helpers import save_random


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """A config whose build folder holds a model, and integers that pass for trained ones."""
    monkeypatch.setattr(schema, "BUILD_DIR", tmp_path)
    config = schema.load("tiny")
    save_random(config)
    model, task = pipeline.load_trained(config)
    qm = pipeline.build(config, model, task, *pipeline.prepare(config, model, task))
    qm.save(config.build_dir / "quant")
    assert not keep.kept(config)
    keep.as_trained(qm, keep.section(config)).save(config.build_dir / "quant")
    return config


def with_bits(config: Config, bits: dict[str, int]) -> Config:
    quant = config.quant.model_copy(update={"bits": bits})
    return config.model_copy(update={"quant": quant})


def test_it_stays_and_is_the_newest(trained: Config, capsys: pytest.CaptureFixture[str]) -> None:
    path = trained.build_dir / "quant" / "qmodel.json"
    before, old = path.read_bytes(), path.stat().st_mtime_ns
    assert keep.kept(trained)
    assert path.read_bytes() == before
    assert path.stat().st_mtime_ns > old
    assert "so it stays; make quantize FORCE=1" in capsys.readouterr().out


def test_what_does_not_fit_is_refused_in_one_line(trained: Config) -> None:
    both = {"layers.0.k": 6, "layers.0.v": 6}
    with pytest.raises(UserError, match="and not on that text: make qat trains again"):
        keep.kept(trained, "other.txt")
    with pytest.raises(UserError, match=r"for another section \[quant\]"):
        keep.kept(with_bits(trained, both))
    folder = trained.build_dir / "quant"
    qm = keep.as_trained(qmodel.load(folder), keep.section(with_bits(trained, both)))
    qm.save(folder)
    assert keep.kept(with_bits(trained, both))
    turned = dict(reversed(both.items()))  # of patterns that overlap the last one counts
    with pytest.raises(UserError, match=r"for another section \[quant\]"):
        keep.kept(with_bits(trained, turned))
    dataclasses.replace(qm, meta=qm.meta | {"source": "0" * 64}).save(folder)
    with pytest.raises(UserError, match="from another float model") as error:
        keep.kept(with_bits(trained, both))
    assert "\n" not in str(error.value)


def test_of_another_version_it_is_refused_and_damaged_it_is_not_known(trained: Config) -> None:
    path = trained.build_dir / "quant" / "qmodel.json"
    wrapped = json.loads(path.read_text())
    wrapped["document"]["version"] -= 1
    path.write_text(json.dumps(wrapped))
    with pytest.raises(UserError, match="this version cannot read it"):
        keep.kept(trained)
    path.write_text(path.read_text()[:99])
    assert not keep.kept(trained)
