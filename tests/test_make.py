"""The Makefile does what is needed, nothing twice, and says what is wrong in one line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from configs import cli, schema, stages

PARTS = (
    "configs",
    "model",
    "quant",
    "export",
    "hdl",
    "data",
    ".ci",
    "Makefile",
    "requirements.txt",
)
STEPS = {"train": "-m model.train", "quantize": "-m quant ", "rtl": "-m export "}


def make(where: Path, *words: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(["make", *words], cwd=where, env=clean, capture_output=True, text=True)


def steps_done(where: Path, *words: str) -> list[str]:
    """The steps that `make words` ran."""
    result = make(where, "CONFIG=tiny", *words)
    assert result.returncode == 0, result.stdout + result.stderr
    return [step for step, call in STEPS.items() if call in result.stdout]


@pytest.fixture(scope="module")
def checkout(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, with a space in its path and few steps of training."""
    where = tmp_path_factory.mktemp("a checkout")
    for part in PARTS:
        source = root / part
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        copy(source, where / part)
    (where / ".venv").symlink_to(root / ".venv")
    edit(where, "steps = ", "steps = 5 #")
    return where


def edit(where: Path, old: str, new: str) -> None:
    config = where / "configs" / "tiny.toml"
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new, 1))


def test_each_step_is_done_when_needed_and_not_twice(checkout: Path) -> None:
    assert steps_done(checkout, "rtl") == ["train", "quantize", "rtl"]
    assert steps_done(checkout, "rtl") == []
    edit(checkout, "rows = 4", "rows = 2")
    assert steps_done(checkout, "rtl") == ["rtl"]
    edit(checkout, "calibration_windows = 16", "calibration_windows = 8")
    assert steps_done(checkout, "rtl") == ["quantize", "rtl"]
    assert steps_done(checkout, "rtl", "SEED=5") == []  # the sampling seed
    assert steps_done(checkout, "train", "SEED=5") == ["train"]
    assert steps_done(checkout, "train", "SEED=5") == []
    assert steps_done(checkout, "quantize") == ["quantize"]  # keeps the seed of the training
    assert steps_done(checkout, "train") == ["train"]  # back to the config's seed
    (checkout / "configs" / "tiny.toml").touch()
    assert steps_done(checkout, "train") == []


def test_a_lost_half_of_the_artefact_is_made_again(checkout: Path) -> None:
    steps_done(checkout, "quantize")
    (checkout / "build" / "tiny" / "quant" / "qmodel.safetensors").unlink()
    assert steps_done(checkout, "quantize") == ["quantize"]
    assert steps_done(checkout, "quantize") == []


def test_what_qat_trained_is_rendered(checkout: Path) -> None:
    steps_done(checkout, "train")
    assert steps_done(checkout, "qat", "BITS=3", "MINUTES=0.001") == []
    assert steps_done(checkout, "rtl") == ["rtl"]
    artefact = checkout / "build" / "tiny" / "quant" / "qmodel.json"
    assert json.loads(artefact.read_text())["document"]["quant"]["weight_bits"] == 3
    before = artefact.read_bytes()
    result = make(checkout, "CONFIG=tiny", "qat", "BITS=9")
    assert "error: --weight-bits 9: choose 2 (-1, 0, 1) to 8" in result.stderr
    assert artefact.read_bytes() == before


def test_what_qat_trained_is_not_thrown_away(checkout: Path) -> None:
    steps_done(checkout, "train")
    steps_done(checkout, "qat", "BITS=3", "MINUTES=0.001")
    artefact = checkout / "build" / "tiny" / "quant" / "qmodel.json"
    before = artefact.read_bytes()
    (checkout / "quant" / "golden.py").touch()  # a new version of the program
    result = make(checkout, "CONFIG=tiny", "rtl")
    assert "was trained (make qat) and still fits, so it stays" in result.stdout
    assert steps_done(checkout, "rtl") == []
    edit(checkout, "calibration_windows = ", "calibration_windows = 1")  # another section [quant]
    result = make(checkout, "CONFIG=tiny", "rtl")
    assert result.returncode == 2
    assert "error: build/tiny/quant was trained (make qat), but for another" in result.stderr
    edit(checkout, "calibration_windows = 1", "calibration_windows = ")
    assert steps_done(checkout, "rtl") == ["quantize", "rtl"]  # looked at, and kept
    assert artefact.read_bytes() == before
    assert steps_done(checkout, "quantize", "FORCE=1") == ["quantize"]
    assert json.loads(artefact.read_text())["document"]["quant"]["weight_bits"] == 8
    assert steps_done(checkout, "quantize") == []


def test_a_search_changes_no_artefact(checkout: Path) -> None:
    steps_done(checkout, "quantize")
    before = (checkout / "build" / "tiny" / "quant" / "qmodel.json").read_bytes()
    assert steps_done(checkout, "search", "BUDGET=12") == []
    assert (checkout / "build" / "tiny" / "search" / "bits.toml").is_file()
    assert (checkout / "build" / "tiny" / "quant" / "qmodel.json").read_bytes() == before
    result = make(checkout, "CONFIG=tiny", "search", "DEVICE=nope")
    assert "error: no device 'nope'; there are: " in result.stderr


def test_a_refused_seed_is_not_kept(checkout: Path) -> None:
    steps_done(checkout, "train")
    for seed in ("-1", "4294967296", "x"):
        result = make(checkout, "CONFIG=tiny", "train", f"SEED={seed}")
        assert result.returncode == 2
        assert result.stderr.startswith("error: ")
    assert steps_done(checkout, "train") == []


def test_a_text_of_ones_own_has_its_own_folder(checkout: Path) -> None:
    text = checkout / "my own text.txt"
    text.write_text("the cat sat on the mat and the dog sat on the log\n" * 100)
    assert steps_done(checkout, "quantize", f"TEXT={text.name}") == ["train", "quantize"]
    assert (checkout / "build" / "tiny-my own text" / "quant" / "qmodel.json").is_file()
    text.write_text("the dog sat on the log and the cat sat on the mat\n" * 100)
    assert steps_done(checkout, "train", f"TEXT={text.name}") == ["train"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["CONFIG=nope"], "error: no config 'nope'; there are: arguments, classifier, copy, "),
        (["TEXT=nope.txt"], "nope.txt': TEXT= takes a UTF-8 file"),
        (["CONFIG=digits", "TEXT=README.md"], "config 'digits' learns the task 'digits'"),
        (["ENGINE=fast"], "ENGINE=fast: there are float and golden"),
        (["TEXT=a(b.txt"], "name the file with letters"),
    ],
)
def test_mistakes_are_named(checkout: Path, words: list[str], message: str) -> None:
    result = make(checkout, "train", *words)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_help_names_every_config_and_target(root: Path) -> None:
    text = make(root, "help").stdout
    for name in (
        *schema.available(),
        *STEPS,
        "setup",
        "try",
        "look",
        "generate",
        "search",
        "sim",
        "demo",
        "test",
        "bench",
    ):
        assert name in text


def test_options_reach_the_program_whatever_they_contain(root: Path) -> None:
    prompt = """Lily's "cat" $HOME `id` \\ #1"""
    result = make(root, "-n", "-o", "stages", "generate", f"PROMPT={prompt}")
    assert "--prompt 'Lily'\\''s \"cat\" $HOME `id` \\ #1'" in result.stdout


def test_stages_split_the_config() -> None:
    config = schema.load("stories")
    whole = stages.stage_inputs(config)
    assert {"model", "data", "train", "text_sha256"} == set(whole["train"])
    assert whole["rtl"] == config.hardware.model_dump()
    prompt = config.data.model_copy(update={"prompt": "The dog"})
    changed = stages.stage_inputs(config.model_copy(update={"data": prompt}))
    assert [name for name in whole if whole[name] != changed[name]] == ["quant"]
    lost = config.data.model_copy(update={"text": "nope.txt"})
    with pytest.raises(cli.UserError, match=r"no text 'nope.txt'"):
        stages.stage_inputs(config.model_copy(update={"data": lost}))
