"""Encoders and encoder-decoders from training to integers: as many exact answers as in float."""

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

CONFIG = """
[model]
kind = "{kind}"
d_model = 32
n_heads = 4
n_layers = {n_layers}
d_ff = 64
context = 16
tied_head = false
bias = true
{options}
[data]
task = "{task}"
prompt = "{prompt}"
length = 4
examples = 4000
[train]
steps = 500
batch_size = 64
learning_rate = 5e-3
eval_every = 500
"""
CASES = {
    "encoder": {
        "task": "digits",
        "n_layers": 2,
        "prompt": "Max ( 5 3 9 ) ->",
        "options": 'norm = "layernorm"\nactivation = "gelu"',
    },
    "encoder-decoder": {
        "task": "reverse",
        "n_layers": 1,
        "prompt": "c a t ->",
        "options": 'activation = "swiglu"\nn_kv_heads = 2',
    },
}


def call(root: Path, config: Path, module: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, "--config", str(config), *options]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module", params=list(CASES))
def made(
    root: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[tuple[str, Path, Path]]:
    """Kind, config and build folder of a trained and quantised model."""
    kind = request.param
    name = f"kinds-{kind}-{os.environ.get('PYTEST_XDIST_WORKER', 'one')}"
    config = tmp_path_factory.mktemp("kinds") / f"{name}.toml"
    config.write_text(CONFIG.format(kind=kind, **CASES[kind]))
    build = root / "build" / name
    shutil.rmtree(build, ignore_errors=True)
    for module in ("model.train", "quant"):
        run = call(root, config, module)
        assert run.returncode == 0, f"{module}: {run.stdout}{run.stderr}"
    yield kind, config, build
    shutil.rmtree(build, ignore_errors=True)


def test_as_many_exact_answers_as_in_float(made: tuple[str, Path, Path]) -> None:
    kind, _, build = made
    answers = json.loads((build / "quant" / "report.json").read_text())["exact_answers"]
    count = answers["questions"]
    assert count >= 400
    assert answers["float"] > 0.98 * count
    assert abs(answers["integer"] - answers["float"]) <= 0.002 * count
    golden = GoldenModel(qmodel.load(build / "quant"))
    exact = 0
    for question, answer in golden.qm.meta["questions"][:50]:
        if kind == "encoder":
            exact += [golden.answer(question)] == answer
        else:
            exact += golden.generate([question[-1]], len(answer), source=question[:-1]) == answer
    assert exact >= 48


def test_text_of_the_golden_model(root: Path, made: tuple[str, Path, Path]) -> None:
    kind, config, _ = made
    run = call(root, config, "quant.generate")
    want = {"encoder": "Max ( 5 3 9 ) -> 9\n", "encoder-decoder": "c a t -> t a c <eos>\n"}
    assert run.stdout == want[kind], run.stderr


def test_the_hardware_refuses_in_one_line(root: Path, made: tuple[str, Path, Path]) -> None:
    kind, config, build = made
    before = sorted(build.iterdir())
    run = call(root, config, "export")
    assert run.returncode == 2
    assert run.stderr.startswith(f"error: model.kind = '{kind}': not yet in hardware")
    assert run.stderr.count("\n") == 1
    assert sorted(build.iterdir()) == before
