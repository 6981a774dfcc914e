"""Speed and quality figures of a config: medians with their spread, the machine named.

Every stage runs as a process of its own, by the command that a user would type. What is measured:

train      seconds of a whole training, projected from two short ones with the same settings
           (the difference of 2 and 1 evaluation intervals), in a folder of its own
engines    tokens per CPU second of the float model and of the golden model, in turn
verilator  whole-core simulation over the whole context, every element compared, without the build
icarus     the same over a few tokens

Writes build/<config>/bench/bench.json; --write-docs puts the table into docs/benchmarks.md.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from configs import cli, files, measure, schema
from configs.cli import UserError
from configs.measure import figure, run
from quant import qmodel
from sim import benchmark_table as table

PARTS = ("train", "engines", "verilator", "icarus")
PACKAGES = ("numpy", "cocotb", "verilator")
PROGRAMS = {"icarus": ["iverilog", "-V"], "gcc": ["g++", "--version"]}
OTHERS = ("digits", "classifier", "copy", "identity", "reverse")  # whose quality is shown too


class Bench:
    """The measurements of one config; each adds its figures."""

    def __init__(self, config: schema.Config, select: list[str], repeats: int) -> None:
        self.config, self.select, self.repeats = config, select, repeats
        self.folder = config.build_dir / "bench"
        self.figures: dict[str, dict] = {}
        self.machine: dict = {}

    def measure(self, parts: Sequence[str]) -> None:
        """All of `parts`, in the order of PARTS."""
        steps: dict[str, Callable[[], None]] = {
            "train": self.train,
            "engines": self.engines,
            "icarus": self.icarus,
            "verilator": self.verilator,  # the last, so that its report stays
        }
        chosen = [name for name in steps if name in parts]
        for number, name in enumerate(chosen, 1):
            print(f"[{number}/{len(chosen)}] {name} ...", flush=True)
            steps[name]()

    def train(self) -> None:
        """Project the time of a training from one and two evaluation intervals."""
        train = self.config.train
        interval = min(train.eval_every, max(1, train.steps // 2))
        name = f"{self.config.name}-bench"
        path = self.folder / f"{name}.toml"
        files.write_text(path, measure.toml(self.config))
        try:
            wall, cpu = zip(*self._trainings(path, interval), strict=True)
        finally:
            shutil.rmtree(schema.BUILD_DIR / name, ignore_errors=True)
            path.unlink()
        more = (train.steps - interval) / interval
        how = (
            f"python -m model.train --fresh --steps {interval} and {2 * interval}; "
            f"projected to {train.steps} steps"
        )
        for kind, (one, two) in {"wall": wall, "CPU": cpu}.items():
            seconds = round(one + more * (two - one), 1)
            self.figures[f"training, {kind} time"] = figure([seconds], "s", how)

    def _trainings(self, path: Path, interval: int) -> Iterator[tuple[float, float]]:
        for steps in (interval, 2 * interval):
            print(f"      training {steps} steps", flush=True)
            options = ["--config", str(path), "--fresh", "--steps", str(steps)]
            _, wall, cpu = run("model.train", *options)
            yield wall, cpu

    def engines(self) -> None:
        """Float and golden model in turn, so that a busy machine disturbs both."""
        names = {"model.speed": "float model", "quant.speed": "golden model"}
        rates: dict[str, list[float]] = {}
        for _ in range(self.repeats):
            for module, name in names.items():
                output, _, _ = run(module, *self.select, "--repeats", "1")
                for kind, values in json.loads(output).items():
                    rates.setdefault(f"{name}, {kind}", []).extend(values)
        for name, values in rates.items():
            module = "model.speed" if name.startswith("float") else "quant.speed"
            self.figures[name] = figure(values, "tokens/CPU s", f"python -m {module}")

    def simulate(self, simulator: str, tokens: int, runs: int) -> dict:
        """Simulate from a prompt of one token; the last report, its cycles by position added."""
        qm = qmodel.load(self.config.build_dir / "quant")
        prompt = qmodel.decode(qm, qmodel.encode(qm, qm.meta["prompt"])[:1])
        options = [*self.select, "--sim", simulator, "--prompt", prompt, "--tokens", str(tokens)]
        speeds, report = [], {}
        for number in range(runs):
            print(f"      {simulator}, run {number + 1} of {runs}", flush=True)
            run("sim", *options)
            report = json.loads((self.config.build_dir / "sim" / "report.json").read_text())
            if report["verdict"] != "passed" or not report["compared"]["elements"]:
                raise UserError(f"the simulation in {simulator} did not pass: run 'make sim'")
            speeds.append(report["tokens_per_second"])
        how = f"python -m sim --sim {simulator} --prompt {prompt!r} --tokens {tokens}"
        name = f"whole core in {simulator}, compared"
        self.figures[name] = figure(speeds, "tokens/s", how)
        self.figures[name] |= {"compared": _compared(report), "simulator": report["simulator"]}
        trace = self.config.build_dir / "sim" / "run" / "trace.txt"
        return report | {"by_position": cycles_by_position(trace), "how": how}

    def icarus(self) -> None:
        self.simulate("icarus", min(16, self.config.model.context), 1)

    def verilator(self) -> None:
        """The whole context once per run; also the cycles, which are the same in each."""
        report = self.simulate("verilator", self.config.model.context, self.repeats)
        cycles = report["cycles"]["sampled"]
        if cycles is None:
            return  # the only token was the stop token
        self.machine = {
            **report["array"],
            **cycles,
            "macs_per_cycle": round(cycles["utilisation"] * report["array"]["multipliers"], 1),
            "by_position": report["by_position"],
            "how": report["how"],
        }


def _compared(report: dict) -> dict:
    """How much was compared, without the list of stages."""
    counts = {k: v for k, v in report["compared"].items() if isinstance(v, int)}
    return counts | {"mismatches": report["mismatches"]}


def cycles_by_position(trace: Path) -> dict[str, int]:
    """Cycles from each token's start to the next one's, by its position: those of one request."""
    rows = [line.split() for line in trace.read_text().splitlines() if line.startswith("S ")]
    starts = [(int(row[1]), int(row[4])) for row in rows]  # cycle, position
    return {str(position): end - start for (start, position), (end, _) in pairwise(starts)}


def quality(config: schema.Config) -> dict:
    """What quantisation cost, from the reports of `python -m quant`; of OTHERS too, where built."""
    result = {}
    for name in dict.fromkeys((config.name, *OTHERS)):
        path = schema.BUILD_DIR / name / "quant" / "report.json"
        if path.is_file():
            report = json.loads(path.read_text())
            kept = ("score", "exact_answers", "accumulator_bits")
            result[name] = {key: report[key] for key in kept if key in report}
    return result


def main() -> None:
    parser = cli.parser("sim.benchmark", "Measure speed; medians, the machine named, as JSON.")
    parser.add_argument("--text", metavar="FILE", help="the text that the model was trained on")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each measurement")
    parser.add_argument("--only", default=",".join(PARTS), metavar="PARTS", help="what to measure")
    parser.add_argument("--write-docs", action="store_true", help="update docs/benchmarks.md")
    args = parser.parse_args()
    parts = args.only.split(",")
    if unknown := sorted(set(parts) - set(PARTS)):
        raise UserError(f"--only {unknown[0]}: choose from {','.join(PARTS)}")
    if args.repeats < 1:
        raise UserError(f"--repeats {args.repeats}: choose at least 1")
    config = cli.load_config(args)
    select = ["--config", args.config, *(["--text", args.text] if args.text else [])]
    bench, load = Bench(config, select, args.repeats), measure.load()
    bench.measure(parts)
    versions = measure.versions(PACKAGES, PROGRAMS)
    result = measure.about("sim.benchmark", load, config.train.seed, versions) | {
        "config": config.name,
        "figures": bench.figures,
        "machine": bench.machine,
        "quality": quality(config),
    }
    files.write_json(bench.folder / "bench.json", result)
    text = table.markdown(result)
    print(f"\n{text}\nwritten to {os.path.relpath(bench.folder / 'bench.json')}")
    if args.write_docs:
        measure.write_docs(config.name, text)


if __name__ == "__main__":
    cli.run(main)
