"""The hardware answers held-out questions of the digits task; the exact answers are counted."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from quant import qmodel
from quant.golden import GoldenModel

pytestmark = pytest.mark.rtl
ASKED = 12
CONFIG = """
[model]
d_model = 16
n_heads = 2
n_layers = 2
d_ff = 32
context = 8
[data]
task = "digits"
tokenizer = "word"
prompt = "Max ( 5 3 9 ) ->"
[train]
steps = 400
batch_size = 64
learning_rate = 1e-2
warmup_steps = 20
eval_every = 400
[hardware]
rows = 4
cols = 8
"""


def call(root: Path, config: Path, module: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, "--config", str(config), *options],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def digits(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    worker = os.environ.get("PYTEST_XDIST_WORKER", "one")
    config = tmp_path_factory.mktemp("questions") / f"questions-{worker}.toml"
    config.write_text(CONFIG)
    build = root / "build" / config.stem
    shutil.rmtree(build, ignore_errors=True)
    for module in ("model.train", "quant", "export"):
        run = call(root, config, module)
        assert run.returncode == 0, f"{module}: {run.stdout}{run.stderr}"
    yield config
    shutil.rmtree(build, ignore_errors=True)


def test_answers_are_counted(root: Path, digits: Path) -> None:
    run = call(root, digits, "sim", "--sim", "icarus", "--questions", str(ASKED))
    assert run.returncode == 0, run.stdout + run.stderr
    build = root / "build" / digits.stem
    report = json.loads((build / "sim" / "report.json").read_text())
    qm = qmodel.load(build / "quant")
    golden = GoldenModel(qm)
    known = qm.meta["questions"]
    assert len(known) == 500
    assert len({tuple(prompt) for prompt, _ in known}) == 500
    exact = sum(golden.generate(prompt, 2) == answer for prompt, answer in known[:ASKED])
    assert report["questions"] == {"asked": ASKED, "exact": exact}
    assert f"{exact} of {ASKED} exact" in run.stdout
    assert report["compared"]["tokens"] == sum(
        len(request["prompt"]) + len(request["tokens"]) - 1 for request in report["requests"]
    )


@pytest.mark.parametrize("count", ["501", "-1"])
def test_too_many_questions(root: Path, digits: Path, count: str) -> None:
    run = call(root, digits, "sim", "--sim", "icarus", "--questions", count)
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1
    assert "500 held-out questions" in run.stderr
