"""The float model: speed, memory, exactness, what it learns; beside PyTorch where that is there.

What is measured, each on one thread and in CPU time:

step     a training step (forward, backward, clip, AdamW) of four shapes, in turn with PyTorch's
decode   tokens one by one with a cache of keys and values, in turn with PyTorch's
memory   the most that a training step needs beyond model and optimizer, in processes of their own
parity   gradients, and logits after the import of foreign layouts, against PyTorch's
tasks    each question task's config trained afresh: exact answers to unseen questions
text     the config `shakespeare` trained on --text, and PyTorch by the same recipe in the same time

PyTorch is not among the requirements: `.venv/bin/pip install -r requirements-torch.txt`.
Writes build/bench/float.json; --write-docs puts the tables into docs/benchmarks.md.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_info

from configs import cli, files, measure, schema
from configs.cli import UserError
from configs.measure import figure, number, row
from configs.schema import Config, ModelConfig
from model import checkpoint, evaluate, memory, peer, tasks, transformer
from model.generate import at_least, generate
from model.steps import SHAPES, our_step, their_step

PARTS = ("step", "decode", "memory", "parity", "tasks", "text")
FOLDER = schema.BUILD_DIR / "bench"
Figures = dict[str, dict]


def in_turn(
    works: dict[str, Callable[[], object]], repeats: int, seconds: float
) -> dict[str, list[float]]:
    """CPU seconds per call of each work, `repeats` times, one after the other, so that a busy
    machine disturbs all of them; each lasts `seconds` or longer."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work()
    for _ in range(repeats):
        for name, work in works.items():
            count, start = 0, time.process_time()
            while (spent := time.process_time() - start) < seconds or not count:
                work()
                count += 1
            times[name].append(spent / count)
    return times


def blas_kernels() -> str:
    """For which processor OpenBLAS has chosen its kernels, and its threads."""
    info = [lib for lib in threadpool_info() if lib["user_api"] == "blas"]
    return ", ".join(f"{lib['internal_api']} {lib.get('architecture', '?')}" for lib in info)


class Bench:
    """The measurements; each adds its figures to a table: name -> {"ours": ..., "torch": ...}."""

    def __init__(self, repeats: int, seconds: float, text: str | None) -> None:
        self.repeats, self.seconds, self.text_file = repeats, seconds, text
        self.torch = importlib.util.find_spec("torch") is not None
        self.rows: dict[str, Figures] = {}

    def add(self, name: str, ours: dict, theirs: dict | None = None) -> None:
        """One row, also shown at once."""
        self.rows[name] = {"ours": ours} | ({} if theirs is None else {"torch": theirs})
        print(f"      {name}: {number(ours['median'])} {ours['unit']}", end="")
        print(f" (PyTorch {number(theirs['median'])})" if theirs else "", flush=True)

    def step(self) -> None:
        for shape in SHAPES:
            works: dict[str, Callable[[], object]] = {"ours": our_step(shape)}
            if self.torch:
                works["torch"] = their_step(shape)
            times = in_turn(works, self.repeats, self.seconds)
            figures = {
                name: figure(
                    [1e3 * value for value in values], "ms", "python -m model.benchmark --only step"
                )
                for name, values in times.items()
            }
            self.add(f"training step, {shape.name}", figures["ours"], figures.get("torch"))

    def decode(self) -> None:
        config, vocab = ModelConfig(), 65  # the default shape
        params = transformer.init(config, vocab, np.random.default_rng(1))
        works: dict[str, Callable[[], object]] = {
            "ours": lambda: list(generate(params, config, [1], config.context))
        }
        if self.torch:
            from model.peer import run as peer_run

            module = peer.build(config, params, vocab)
            works["torch"] = lambda: peer_run.generate(module, [1], config.context)
        times = in_turn(works, self.repeats, self.seconds)
        figures = {
            name: figure(
                [config.context / v for v in values],
                "tokens/CPU s",
                "python -m model.benchmark --only decode",
            )
            for name, values in times.items()
        }
        self.add(
            f"decode with a cache, context {config.context}", figures["ours"], figures.get("torch")
        )

    def memory(self) -> None:
        for index, shape in enumerate(SHAPES):
            sides = ("ours", "torch") if self.torch else ("ours",)
            peaks = {}
            for side in sides:
                how = f"python -m model.steps {side} {index}"
                runs = [measure.run("model.steps", side, str(index))[0] for _ in range(5)]
                peaks[side] = figure([json.loads(text)["mib"] for text in runs], "MiB", how)
            self.add(f"memory of a step, {shape.name}", peaks["ours"], peaks.get("torch"))

    def parity(self) -> None:
        if not self.torch:
            print("      needs PyTorch")
            return
        how = "python -m model.benchmark --only parity"
        self.add(
            "gradients against PyTorch, float32, largest relative difference",
            figure([peer.gradient_error()], "", how),
        )
        self.add(
            "logits after import against PyTorch, largest difference",
            figure([peer.import_error()], "", how),
        )

    def tasks(self) -> None:
        for name in schema.available():
            config = schema.load(name)
            if config.data.task != "text":
                trained, task, seconds = afresh(config)
                assert isinstance(task, tasks.QuestionTask)
                counts = evaluate.accuracy(trained, task).values()
                right, asked = (sum(column) for column in zip(*counts, strict=True))
                how = f"python -m model.train --config {name} --fresh"
                self.add(f"{name}: training", figure([seconds], "CPU s", how))
                self.add(
                    f"{name}: exact answers to {asked} unseen questions",
                    figure([100 * right / asked], "%", how),
                )

    def text(self) -> None:
        if self.text_file is None:
            print("      needs --text FILE")
            return
        config = schema.load("shakespeare")
        path = str(Path(self.text_file).resolve())
        data = config.data.model_copy(update={"text": path})
        config = config.model_copy(update={"data": data})
        trained, task, seconds = afresh(config)
        ours, theirs = evaluate.loss(trained.params, task, trained.config), None
        how = f"python -m model.train --config shakespeare --text {Path(path).name} --fresh"
        if self.torch:
            from model.peer import run as peer_run

            params, steps = peer_run.train(config, task, seconds)
            loss = evaluate.loss(params, task, config.model)
            theirs = figure([loss], "nats/token", f"the same in PyTorch, {steps} steps in the time")
        name = Path(path).stem
        self.add(
            f"{name}: training, {trained.params.flat.size:,} parameters",
            figure([seconds], "CPU s", how),
        )
        self.add(f"{name}: loss of all held-out text", figure([ours], "nats/token", how), theirs)


def afresh(config: Config) -> tuple[checkpoint.Checkpoint, tasks.Task, float]:
    """Train a config in a folder of its own: model, data and CPU seconds."""
    name = f"{config.name}-bench"
    path = FOLDER / f"{name}.toml"
    files.write_text(path, measure.toml(config))
    try:
        _, _, seconds = measure.run("model.train", "--config", str(path), "--fresh")
        trained = checkpoint.load(schema.BUILD_DIR / name / "model")
    finally:
        shutil.rmtree(schema.BUILD_DIR / name, ignore_errors=True)
        path.unlink()
    return trained, tasks.load(config), seconds


def markdown(result: dict) -> str:
    """The whole result as a section."""
    lines = [
        measure.provenance(result),
        "",
        row("figure", "unit", "ours", "min .. max", "PyTorch", "ours / PyTorch"),
        row("---", "---", *["---:"] * 4),
    ]
    for name, sides in result["rows"].items():
        ours, theirs = sides["ours"], sides.get("torch")
        span = f"{number(ours['min'])} .. {number(ours['max'])}" if ours["n"] > 1 else ""
        other, ratio = "", ""
        if theirs is not None:
            other, ratio = number(theirs["median"]), f"{ours['median'] / theirs['median']:.3f}"
        lines.append(row(name, ours["unit"], number(ours["median"]), span, other, ratio))
    return "\n".join([*lines, ""])


def main() -> None:
    parser = cli.parser("model.benchmark", __doc__.partition("\n")[0], config=False)
    parser.add_argument("--only", default=",".join(PARTS), metavar="PARTS", help="what to measure")
    parser.add_argument("--text", metavar="FILE", help="the text of the part `text`")
    parser.add_argument("--repeats", type=at_least(int, 1), default=9, help="of each measurement")
    parser.add_argument(
        "--seconds", type=at_least(float, 0.01), default=0.3, help="CPU seconds of a measurement"
    )
    parser.add_argument("--write-docs", action="store_true", help="update docs/benchmarks.md")
    args = parser.parse_args()
    parts = args.only.split(",")
    if unknown := sorted(set(parts) - set(PARTS)):
        raise UserError(f"--only {unknown[0]}: choose from {','.join(PARTS)}")
    memory.keep()
    bench, load = Bench(args.repeats, args.seconds, args.text), measure.load()
    for index, part in enumerate(parts, 1):
        print(f"[{index}/{len(parts)}] {part} ...", flush=True)
        getattr(bench, part)()
    versions = measure.versions(("numpy", "torch")) | {"blas": blas_kernels()}
    result = measure.about("model.benchmark", load, 1, versions) | {"rows": bench.rows}
    files.write_json(FOLDER / "float.json", result)
    text = markdown(result)
    print(f"\n{text}\nwritten to {os.path.relpath(FOLDER / 'float.json')}")
    if args.write_docs:
        measure.write_docs("float", text)


if __name__ == "__main__":
    cli.run(main)
