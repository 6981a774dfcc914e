"""The whole core in a simulator, compared with the golden model while it runs.

The simulator runs in a process of its own; this one reads the growing trace beside it, and tells
the bench to stop at the first token that differs.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from configs import files
from configs.cli import UserError
from quant import qmodel
from quant.golden import GoldenModel
from quant.qmodel import QuantModel
from sim import counters, runner
from sim.checker import Checker
from sim.mismatch import Mismatch
from sim.requests import GoldenRun, Request, status_text

WRITER = Path(__file__).parent / "trace_writer.sv"
MANIFEST_VERSION = 4
POLL_SECONDS = 0.05
DRAIN_CYCLES = 200
ANSWERS, STOP_FILE, TRACE = "answers.json", "stop", "trace.txt"


@dataclass(frozen=True)
class Machine:
    """A rendered machine and the integers that it must reproduce."""

    rtl: Path
    manifest: dict
    qm: QuantModel

    @property
    def multipliers(self) -> int:
        return int(self.manifest["array"]["multipliers"])

    @property
    def watchdog(self) -> int:
        """Cycles in which something must happen: ten times the work of the longest token."""
        work = max(self.manifest["macs"]["sampled"]) // self.multipliers
        return self.streams * (10 * work + 5000)

    @property
    def streams(self) -> int:
        """Independent sequences that the machine serves at a time."""
        return int(self.manifest["parameters"]["Streams"])


@dataclass(frozen=True)
class Answer:
    """What the output stream gave for one request."""

    tokens: list[int]
    status: int | None
    reset: bool


@dataclass(frozen=True)
class Outcome:
    """A finished simulation."""

    machine: Machine
    requests: list[Request]
    answers: list[Answer]
    checker: Checker
    mismatches: list[Mismatch]  # of trace and answers, in time
    mismatch_count: int
    problem: str | None  # timeout, crash, broken stream, cycles that nobody predicted
    counters: dict[str, int] | None  # what the cycles were spent on; None: not read
    stopped: bool  # at the first token that differs
    seconds: float  # of simulation and comparison, without the build
    simulator: str
    seed: int
    waves: Path | None
    log: Path

    @property
    def passed(self) -> bool:
        clean = not self.mismatch_count and not self.problem and not self.stopped
        return clean and self.checker.covered


def load(build_dir: Path, hint: str) -> Machine:
    """The artefacts of a config; UserError says to run `hint` when one is missing or too old."""
    source, rtl = build_dir / "quant", build_dir / "rtl"
    qm = qmodel.load(source)
    path = rtl / "manifest.json"
    if not path.is_file():
        raise UserError(f"no Verilog in {rtl}: run '{hint}'")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        version, digest = manifest["version"], manifest["source"]
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path} is damaged: remove it and run '{hint}'") from None
    if version != MANIFEST_VERSION:
        raise UserError(
            f"{path} has version {version}, not {MANIFEST_VERSION}: remove it and run '{hint}'"
        )
    if digest != files.sha256(source / "qmodel.json", source / "qmodel.safetensors"):
        raise UserError(f"{rtl} was rendered from another {source}: run '{hint}'")
    return Machine(rtl, manifest, qm)


def simulate(
    machine: Machine,
    requests: Sequence[Request],
    *,
    simulator: str,
    out: Path,
    build: Path | None = None,
    waves: bool = False,
    seed: int | None = None,
    on_token: Callable[[int], None] | None = None,
) -> Outcome:
    """Run `requests` in one simulation, in the folder `out`, and compare.

    Those of one stream run one after the other, the streams beside each other. A request with a
    reset waits for all before it; then each stream begins the one that it has with a reset, and the
    first whose moment has come ends all of them.

    The design is compiled in `build` (default: `out`), which simulations may share.
    `on_token` hears the number of tokens that have been compared. Raises UserError when the
    simulator is not installed, SimulationError when the design does not compile.
    """
    where = out / "run"
    with _alone(out):
        return _simulate(machine, requests, simulator, out, where, build, waves, seed, on_token)


@contextlib.contextmanager
def _alone(out: Path) -> Iterator[None]:
    """UserError if another simulation works in the folder `out`."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / ".lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(f"another simulation works in {out}: wait for its end") from None
        yield


def _simulate(
    machine: Machine,
    requests: Sequence[Request],
    simulator: str,
    out: Path,
    where: Path,
    build: Path | None,
    waves: bool,
    seed: int | None,
    on_token: Callable[[int], None] | None,
) -> Outcome:
    _prepare(machine, requests, where)
    checker = Checker(GoldenModel(machine.qm), machine.manifest, requests)
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(_run, machine, simulator, build or out, where, waves, seed)
        try:
            stopped = _follow(future, where, checker, on_token)
        except BaseException:
            (where / STOP_FILE).touch()
            raise
    problem, result = None, None
    try:
        result = future.result()
    except runner.SimulationError as error:
        if not (where / ANSWERS).is_file():
            raise
        problem = str(error)
    data = json.loads((where / ANSWERS).read_text())
    checker.finish(complete=not stopped)
    if on_token:
        on_token(checker.tokens)
    seconds = time.time() - data["started"]
    entries = [entry for entry in data["answers"] if entry is not None]
    answers = [_answer(entry) for entry in data["answers"]]
    problems = [data["problem"], *(entry["problem"] for entry in entries), problem]
    counted = counters.read(machine.manifest, data["counters"])
    if not (stopped or any(problems) or checker.mismatch_count):
        problems += counters.problems(machine.manifest, checker, counted)
    extra = [] if stopped else _compare_answers(checker, answers)
    return Outcome(
        machine=machine,
        requests=list(requests),
        answers=answers,
        checker=checker,
        mismatches=checker.in_time() + extra,
        mismatch_count=checker.mismatch_count + len(extra),
        problem=next((text for text in problems if text), None),
        counters=counted,
        stopped=stopped,
        seconds=seconds,
        simulator=simulator,
        seed=result.seed if result else -1,
        waves=result.waves if result else None,
        log=where / "sim.log",
    )


def _prepare(machine: Machine, requests: Sequence[Request], where: Path) -> None:
    """The folder in which the simulation runs: memory images and the job, nothing old."""
    shutil.rmtree(where, ignore_errors=True)
    where.mkdir(parents=True)
    for image in machine.rtl.glob("*.hex"):
        shutil.copyfile(image, where / image.name)
    job = {
        "watchdog": machine.watchdog,
        "drain": DRAIN_CYCLES,
        "streams": machine.streams,
        "requests": [request.job() for request in requests],
    }
    files.write_json(where / "job.json", job)


def _run(
    machine: Machine, simulator: str, build: Path, where: Path, waves: bool, seed: int | None
) -> runner.Result:
    names = (machine.rtl / "files.f").read_text().split()
    testbench = machine.manifest["testbench"]
    return runner.run(
        testbench,
        [*(machine.rtl / name for name in names), WRITER, machine.rtl / f"{testbench}.sv"],
        "sim.tb_core",
        simulator=simulator,
        build_dir=build,
        waves=waves,
        env={"SIM_JOB": str(where.resolve() / "job.json")},
        seed=seed,
        test_dir=where,
        random_registers=True,
    )


def _follow(
    future: Future[runner.Result],
    where: Path,
    checker: Checker,
    on_token: Callable[[int], None] | None,
) -> bool:
    """Feed the checker until the simulation has ended; True if it was told to stop early."""
    trace, place, stopped = where / TRACE, 0, False
    while True:
        done = future.done()
        if trace.is_file():
            with trace.open() as handle:
                handle.seek(place)
                text = handle.read()
                place = handle.tell()
            if not stopped:
                checker.feed(text)
            if on_token:
                on_token(checker.tokens)
        if checker.mismatch_count and not stopped and not done:
            (where / STOP_FILE).touch()
            stopped = True
        if done:
            return stopped
        time.sleep(POLL_SECONDS)


def _answer(entry: dict | None) -> Answer:
    """Beats [data, last, user] to tokens and status; nothing for a request that was not begun."""
    if entry is None:
        return Answer([], None, False)
    beats = entry["beats"]
    closing = [data for data, last, user in beats if last or user]
    tokens = [data for data, last, user in beats if not (last or user)]
    return Answer(tokens, closing[0] if closing else None, entry["reset"])


def _compare_answers(checker: Checker, answers: Sequence[Answer]) -> list[Mismatch]:
    """The output stream against the golden model's tokens and status."""
    result = []
    for number, run in enumerate(checker.runs):
        got = answers[number] if number < len(answers) else Answer([], None, False)
        if got.reset:  # what came must be a beginning of what would have come
            whole = GoldenRun(run.model, run.request)
            deque(whole.steps(), maxlen=0)
            if got.tokens == whole.tokens[: len(got.tokens)] and got.status in (None, whole.status):
                continue
        elif (got.tokens, got.status) == (run.tokens, run.status):
            continue
        position = len(run.request.prompt) - 1
        result.append(
            Mismatch(
                request=number,
                position=position,
                stage="output stream",
                step=None,
                tile=None,
                lane=-1,
                element=None,
                expected=f"{run.tokens}, status {status_text(run.status)}",
                actual=f"{got.tokens}, status {status_text(got.status)}",
                format="",
                cycle=None,
                line=checker.line + 1,
                stream=run.request.stream if checker.streams_of else None,
            )
        )
    return result
