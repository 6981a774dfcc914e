"""From text to verified hardware by the command lines that a user calls, and what they refuse."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytestmark = pytest.mark.rtl
CONFIG = """
[model]
d_model = 16
n_heads = 2
n_layers = 1
d_ff = 24
context = 20
norm = "layernorm"
activation = "gelu"
bias = true
[data]
text = "{text}"
prompt = "the cat"
[train]
steps = 60
batch_size = 8
warmup_steps = 5
eval_every = 60
learning_rate = 2e-2
[quant]
calibration_windows = 4
[hardware]
rows = 4
cols = 4
"""


class Project:
    """A config of the test's own, and its build folder."""

    def __init__(self, root: Path, folder: Path) -> None:
        worker = os.environ.get("PYTEST_XDIST_WORKER", "one")
        self.root, self.toml = root, folder / f"e2e-{worker}.toml"
        text = folder / "cats.txt"
        text.write_text("the cat saw a dog. the dog ran. a cat sat and the moon came.\n" * 60)
        self.toml.write_text(CONFIG.format(text=text))
        self.build = root / "build" / self.toml.stem

    def call(self, module: str, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", module, "--config", str(self.toml), *options],
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
        )

    def sim(self, *options: str) -> tuple[str, dict]:
        """A comparison that must pass: what it prints, and its report."""
        run = self.call("sim", *options)
        assert run.returncode == 0, run.stdout + run.stderr
        assert run.stdout.splitlines()[-1].startswith("PASSED")
        return run.stdout, json.loads((self.build / "sim" / "report.json").read_text())


@pytest.fixture(scope="module")
def project(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project(root, tmp_path_factory.mktemp("e2e"))
    shutil.rmtree(project.build, ignore_errors=True)
    for module in ("model.train", "quant", "export"):
        run = project.call(module)
        assert run.returncode == 0, f"{module}: {run.stdout}{run.stderr}"
    yield project
    shutil.rmtree(project.build, ignore_errors=True)


@pytest.mark.parametrize("simulator", ["icarus", "verilator"])
def test_hardware_writes_what_the_golden_model_writes(project: Project, simulator: str) -> None:
    options = ("--prompt", "the dog", "--tokens", "9", "--temperature", "0.7", "--seed", "5")
    printed, report = project.sim("--sim", simulator, *options)
    golden = project.call("quant.generate", *options)
    assert golden.returncode == 0
    assert golden.stdout.rstrip("\n") in printed
    assert report["verdict"] == "passed"
    compared = report["compared"]
    assert compared["tokens"] == len("the dog") + 9 - 1
    assert compared["elements"] == compared["golden_elements"] > 1000
    assert compared["elements"] == sum(compared["elements_by_stage"].values())
    assert {"embed", "layers.0.attn_probs", "logits", "token"} <= set(compared["elements_by_stage"])
    assert report["cycles"]["all"]["floor"] < report["cycles"]["all"]["cycles_per_token"]
    for words in ("mismatches    0", "cycles/token", "multipliers   4 x 4 = 16", "tokens/s"):
        assert words in printed
    suite = ElementTree.parse(project.build / "sim" / "results.xml").getroot().find("testsuite")
    assert suite is not None
    assert suite.get("failures") == "0"


def test_the_context_limits_the_tokens(project: Project) -> None:
    printed, report = project.sim("--sim", "icarus", "--tokens", "500")
    assert "the context of 20 leaves room for 14 tokens" in printed
    assert len(report["requests"][0]["tokens"]) == 14
    assert "context full" in report["requests"][0]["status"]


@pytest.mark.parametrize("simulator", ["icarus", pytest.param("verilator", marks=pytest.mark.slow)])
def test_waves(project: Project, simulator: str) -> None:
    printed, _ = project.sim("--sim", simulator, "--tokens", "2", "--waves")
    path = Path(next(x for x in printed.splitlines() if x.startswith("waves")).split(None, 1)[1])
    assert path.suffix == ".fst"
    assert path.stat().st_size > 1000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--prompt", "the ß"), "characters that the model has never seen: 'ß'"),
        (("--prompt", "the cat sat and the moon"), "the context holds 20: shorten it"),
        (("--prompt", ""), "give at least one character"),
        (("--tokens", "0"), "--tokens 0: choose at least 1"),
        (("--temperature", "-1"), "temperature -1.0: choose one from 0"),
        (("--temperature", "nan"), "choose a number"),
        (("--seed", "-1"), "--seed -1: choose one from 0"),
        (("--text", "no-such-text.txt"), "python -m"),
    ],
)
def test_bad_input_is_one_line_and_harms_nothing(
    project: Project, options: tuple[str, ...], message: str
) -> None:
    (project.build / "sim").mkdir(exist_ok=True)
    kept = project.build / "sim" / "kept.txt"
    kept.write_text("earlier result")
    run = project.call("sim", *options)
    assert run.returncode == 2
    (line,) = run.stderr.splitlines()
    assert line.startswith("error: ")
    if options[0] != "--text":
        assert message in line
    assert kept.read_text() == "earlier result"


def test_missing_and_stale_artefacts_say_what_to_run(project: Project) -> None:
    manifest = project.build / "rtl" / "manifest.json"
    before = manifest.read_text()
    try:
        data = json.loads(before)
        manifest.write_text(json.dumps({**data, "source": "0" * 64}))
        stale = project.call("sim")
        manifest.unlink()
        missing = project.call("sim")
    finally:
        manifest.write_text(before)
    assert stale.returncode == missing.returncode == 2
    assert "was rendered from another" in stale.stderr
    for run in (stale, missing):
        assert f"make rtl CONFIG={project.toml}" in run.stderr


def test_a_missing_simulator_is_named(project: Project, tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "sim", "--config", str(project.toml), "--sim", "icarus"],
        cwd=project.root,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": str(tmp_path)},
    )
    assert run.returncode == 2
    assert "simulator icarus: missing" in run.stderr
    assert "make setup" in run.stderr


def test_a_damaged_memory_fails_with_status_1(project: Project) -> None:
    image = project.build / "rtl" / "rom_weights_2.hex"
    before = image.read_text()
    try:
        lines = before.split("\n")
        lines[0] = f"{int(lines[0], 16) ^ 0x40:0{len(lines[0])}x}"  # of the first query
        image.write_text("\n".join(lines))
        run = project.call("sim", "--sim", "icarus", "--tokens", "3")
    finally:
        image.write_text(before)
    assert run.returncode == 1
    assert run.stdout.splitlines()[-1].startswith("FAILED")
    report = json.loads((project.build / "sim" / "report.json").read_text())
    first = report["first_mismatches"][0]
    assert (first["layer"], first["stage"], first["element"]) == (0, "layers.0.q", [0])
    assert "layer 0 q, step 0, tile 0 lane 0, element [0]: expected" in run.stdout
