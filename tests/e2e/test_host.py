"""The host's command line against a simulated board, pins and all: the golden model's text."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from configs.schema import load
from quant import qmodel
from quant.golden import GoldenModel
from quant.qmodel import QuantModel
from quant.random import random_model
from sim import board, runner
from sim.requests import GoldenRun, Request

pytestmark = pytest.mark.rtl
VOCAB = 21
CONFIG = """
[model]
d_model = 8
n_heads = 2
n_layers = 1
d_ff = 8
context = 20
[hardware]
rows = 2
cols = 4
streams = 2
"""
PATIENCE = "20"  # seconds; this machine may be busy


class Project:
    """A config with a random model, rendered."""

    def __init__(self, root: Path, folder: Path) -> None:
        worker = os.environ.get("PYTEST_XDIST_WORKER", "one")
        self.root, self.toml = root, folder / f"host-{worker}.toml"
        self.toml.write_text(CONFIG)
        config = load(str(self.toml))
        self.build = config.build_dir
        shutil.rmtree(self.build, ignore_errors=True)
        self.qm: QuantModel = random_model(config, 7, VOCAB)
        self.qm.save(self.build / "quant")
        result = self.call("export")
        assert result.returncode == 0, result.stderr

    def call(self, module: str, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", module, "--config", str(self.toml), *options],
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
        )

    def host(self, port: Path, *options: str) -> subprocess.CompletedProcess[str]:
        return self.call("sim.host", "--port", str(port), "--patience", PATIENCE, *options)

    @contextmanager
    def board(self, noise: float = 0.0) -> Iterator[Path]:
        """The port of a board that is simulated meanwhile."""
        out = self.build / "board"
        with ThreadPoolExecutor(1) as pool:
            future = board.start(self.build / "rtl", out, noise, None, pool)
            try:
                yield board.wait_ready(out, future)
            finally:
                (out / "run" / board.STOP).touch()
            assert future.result().tests == 1

    def golden(self, prompt: str, tokens: int, temperature: float = 0.0, seed: int = 1) -> str:
        """What the board must say."""
        ids = qmodel.encode(self.qm, prompt)
        register = self.qm.temperature_register(temperature)
        run = GoldenRun(GoldenModel(self.qm), Request(tuple(ids), tokens, register, seed))
        deque(run.steps(), maxlen=0)
        return qmodel.decode(self.qm, [*ids, *run.tokens]) + "\n"


@pytest.fixture(scope="module")
def project(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project(root, tmp_path_factory.mktemp("host"))
    yield project
    shutil.rmtree(project.build, ignore_errors=True)


def says_what_the_golden_model_says(project: Project) -> None:
    """Two requests on two streams, and what is refused."""
    with project.board() as port:
        run = project.host(port, "--prompt", "t3 t1 t4", "--tokens", "8", "--counters")
        assert run.returncode == 0, run.stderr
        assert run.stdout == project.golden("t3 t1 t4", 8)
        assert "status      limit reached" in run.stderr
        assert "tokens      8 in" in run.stderr
        assert "frames      3 good ones" in run.stderr  # PING, PROMPT, STATUS
        assert "problem" not in run.stderr
        warm = ("--temperature", "0.9", "--seed", "5", "--tokens", "99", "--stream", "1", "--reset")
        run = project.host(port, "--prompt", "t9", *warm)
        assert run.returncode == 0, run.stderr
        assert run.stdout == project.golden("t9", 99, 0.9, 5)
        assert "status      context full" in run.stderr
        for options, message in (
            (("--prompt", "t99"), "never seen"),
            (("--stream", "2"), "this board has streams 0 to 1"),
            (("--prompt", "t1 " * 21), "the context holds 20"),
        ):
            run = project.host(port, *options)
            assert (run.returncode, run.stdout) == (2, "")
            assert run.stderr.startswith("error: ")
            assert message in run.stderr
            assert run.stderr.count("\n") == 1
        other = project.build / "rtl" / "manifest.json"
        text = other.read_text()
        source = text.split('"source":"')[1][:8]
        other.write_text(text.replace(source, "0badc0de"))
        run = project.host(port)
        other.write_text(text)
        assert run.returncode == 2
        assert f"another model ({source}" in run.stderr


def noise_changes_no_token(project: Project) -> None:
    """Requests over a line on which one byte of a hundred is hit."""
    with project.board(noise=0.01) as port:
        for seed in range(4):
            options = ("--tokens", "12", "--temperature", "1.0", "--seed", str(seed))
            run = project.host(port, "--prompt", "t2 t7", *options, "--patience", "3")
            assert run.returncode == 0, run.stderr
            assert run.stdout == project.golden("t2 t7", 12, 1.0, seed)
    log = (project.build / "board" / "run" / "sim.log").read_text()
    assert int(re.findall(r"(\d+) bytes spoilt", log)[0]) > 0, "there was no noise"


def test_no_port_and_no_answer_are_one_line(project: Project) -> None:
    run = project.host(project.build / "nothing")
    assert run.returncode == 2
    assert "name the port of a board" in run.stderr
    assert run.stderr.count("\n") == 1
    master, slave = os.openpty()
    try:
        run = project.host(Path(os.ttyname(slave)), "--patience", "0.1")
    finally:
        os.close(master)
        os.close(slave)
    assert run.returncode == 2
    assert "no answer on" in run.stderr
    assert run.stderr.count("\n") == 1


def a_wrong_weight_is_seen(project: Project) -> None:
    """The comparison of texts can fail."""
    image = project.build / "rtl" / "rom_tok.hex"
    text = image.read_text()
    image.write_text("".join(f"{'5' * (len(line))}\n" for line in text.split()))
    try:
        with project.board() as port:
            run = project.host(port, "--prompt", "t3 t1 t4", "--tokens", "8")
    finally:
        image.write_text(text)
    assert run.returncode == 0, run.stderr
    assert run.stdout != project.golden("t3 t1 t4", 8)


def test_a_line_too_fast_for_the_clock_is_refused(project: Project) -> None:
    rtl, out = str(project.build / "rtl"), str(project.build / "fast")
    options = ("--rtl", rtl, "--out", out, "--clock", "12000000", "--baud", "3000000")
    run = subprocess.run(
        [sys.executable, "-m", "export.board", *options],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    assert "choose a lower baud" in run.stderr


def a_board_without_a_job_fails(project: Project) -> None:
    """It stops with an error, not with silence."""
    out = project.build / "board"
    sources = board.rendered(project.build / "rtl", out)
    with pytest.raises(runner.SimulationError):
        runner.run(board.TOP, sources, "sim.tb_board", simulator="verilator", build_dir=out, env={})


def test_the_host_and_a_simulated_board(project: Project) -> None:
    """All that needs the board, in one test, so that it is built once."""
    says_what_the_golden_model_says(project)
    noise_changes_no_token(project)
    a_wrong_weight_is_seen(project)
    a_board_without_a_job_fails(project)
