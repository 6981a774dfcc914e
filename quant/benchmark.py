"""What integers lose, in the widths that matter, before and after their training.

The models are those of the configs `stories`, of `shakespeare` on --text, and of question tasks;
each is trained first where that is missing. Nothing of theirs is replaced: the integers go to
folders of their own, which are removed again.

Each row is kept in build/bench/integers/ as soon as it is measured, and measured again only where
its integers would be others, or with --fresh; a training that is interrupted goes on. All rows
together are build/bench/integers.json; --write-docs puts the table into docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from configs import cli, files, measure, schema
from configs.cli import UserError
from configs.measure import row
from configs.schema import Config
from model.interrupt import Interrupted
from quant import pipeline, qat, unfinished

FOLDER = schema.BUILD_DIR / "bench"
KEPT = ("model", "setting", "score", "exact_answers", "qat")


class Setting(NamedTuple):
    """Options of [quant]; `train`: the integers are trained as well."""

    name: str
    options: dict[str, Any]
    train: bool = False


W8 = Setting("W8, the default", {})
W4 = Setting("W4", {"weight_bits": 4}, train=True)
TEXT = (
    W8,
    Setting("W8, activations and cache of 8 bits", {"act_bits": 8, "kv_bits": 8}),
    W4,
    Setting("ternary", {"weight_bits": 2}, train=True),
)
QUESTIONS = (W8, W4)
STEPS = {"stories": 11_500}  # of its trainings, as many as five minutes hold; others: the default
MODELS: dict[str, tuple[Setting, ...]] = {
    "stories": TEXT,
    "shakespeare": TEXT,
    "digits": QUESTIONS,
    "digits99": QUESTIONS,
    "classifier": (W8,),
    "reverse": (W8,),
}


def trained_config(name: str, text: str | None) -> Config:
    """A config whose model is trained."""
    text = text if name == "shakespeare" else None
    measure.run("model.train", "--config", name, *(["--text", text] if text else []))
    return cli.load_config(argparse.Namespace(config=name, text=text))


@contextlib.contextmanager
def apart(config: Config, name: str | None = None) -> Iterator[Config]:
    """The config under another name, with a copy of the model in its folder, which is removed
    again, but for a training that is interrupted."""
    ours = config.model_copy(update={"name": f"{name or config.name}-bench"})
    try:
        shutil.copytree(config.build_dir / "model", ours.build_dir / "model", dirs_exist_ok=True)
        yield ours
    except Interrupted:
        raise
    except BaseException:
        shutil.rmtree(ours.build_dir, ignore_errors=True)
        raise
    shutil.rmtree(ours.build_dir, ignore_errors=True)


def path_of(model: str, setting: Setting) -> Path:
    """Where a row is kept."""
    return FOLDER / "integers" / f"{model}-{re.sub('[^A-Za-z0-9]+', '-', setting.name)}.json"


def kept(model: str, setting: Setting, key: str | None = None) -> list[dict[str, Any]]:
    """The entries of a row, of integers with this digest if one is given; none if there are none.

    Whatever is no such file is measured again.
    """
    try:
        row = json.loads(path_of(model, setting).read_text(encoding="utf-8"))
        entries = list(row["entries"])
        return entries if key in (None, row["key"]) else []
    except (OSError, ValueError, KeyError, TypeError):
        return []


def measured(config: Config, setting: Setting, fresh: bool = False) -> list[dict[str, Any]]:
    """One entry for the quantised model, and one for the trained one where the setting says so."""
    quant = schema.QuantConfig.model_validate(config.quant.model_dump() | setting.options)
    entry = {"model": config.name, "setting": setting.name}
    path, steps = path_of(config.name, setting), STEPS.get(config.name)
    plan = qat.Settings(steps=steps) if steps else qat.Settings()
    with apart(config.model_copy(update={"quant": quant}), path.stem) as ours:
        trained, task = pipeline.load_trained(ours)
        qm = pipeline.build(ours, trained, task, *pipeline.prepare(ours, trained, task))
        about = {"train": setting.train and asdict(plan), "seed": config.train.seed}
        key = unfinished.digest(qm, about | {"text": task.fingerprint})
        if not fresh and (entries := kept(config.name, setting, key)):
            return entries
        if setting.train:
            result = qat.run(ours, plan, resume=not fresh)
            entries = [entry | result["ptq"], entry | result]
        else:
            entries = [entry | pipeline.measure(trained, task, qm)]
    rows = [{k: v for k, v in one.items() if k in KEPT} for one in entries]
    files.write_json(path, {"key": key, "entries": rows})
    return rows


def quantising_time(config: Config) -> float:
    """CPU seconds of `python -m quant`, from the start of Python to the report."""
    with apart(config) as ours:
        path = FOLDER / f"{ours.name}.toml"
        files.write_text(path, measure.toml(ours))
        try:
            return measure.run("quant", "--config", str(path))[2]
        finally:
            path.unlink()


def markdown(result: dict) -> str:
    """The whole result as a section."""
    head = ("model", "weights", "float loss", "increase", "same argmax", "KL", "exact answers")
    lines = [
        measure.provenance(result),
        "",
        f"`python -m quant --config stories`, calibration and report included: "
        f"{result['quantise']['cpu']:.1f} CPU s.",
        "",
        row(*head),
        row("---", "---", *["---:"] * 5),
    ]
    for entry in result["entries"]:
        s, exact, trained = entry["score"], entry.get("exact_answers"), entry.get("qat")
        name = entry["setting"]
        if trained:
            name += f", {trained['steps']:,} steps in {trained['cpu_seconds']:.0f} CPU s"
        answers = "-"
        if exact:
            answers = f"float {exact['float']}, integer {exact['integer']} of {exact['questions']}"
        lines.append(
            row(
                entry["model"],
                name,
                f"{s['float_loss']:.5f}",
                f"{s['loss_increase']:+.5f} ± {s['loss_increase_se'] or 0:.5f}",
                f"{100 * s['same_argmax']:.2f} ± {100 * (s['same_argmax_se'] or 0):.2f} %",
                f"{s['kl']:.6f}",
                answers,
            )
        )
    return "\n".join([*lines, ""])


def main() -> int:
    parser = cli.parser("quant.benchmark", __doc__.partition("\n")[0], config=False)
    parser.add_argument("--text", metavar="FILE", help="the text of the model `shakespeare`")
    parser.add_argument(
        "--only",
        default=",".join(MODELS),
        metavar="MODELS",
        help="which of them to measure; the others' rows stay as they were measured last",
    )
    parser.add_argument("--fresh", action="store_true", help="measure again what is measured")
    parser.add_argument("--write-docs", action="store_true", help="update docs/benchmarks.md")
    args = parser.parse_args()
    names = args.only.split(",")
    if unknown := sorted(set(names) - set(MODELS)):
        raise UserError(f"--only {unknown[0]}: choose from {','.join(MODELS)}")
    if args.text is None and "shakespeare" in names:
        print("shakespeare: needs --text FILE")
        names.remove("shakespeare")
    load, configs = measure.load(), {name: name for name in MODELS}
    if args.text:
        configs["shakespeare"] += f"-{Path(args.text).stem}"
    try:
        for name in names:
            print(f"[{names.index(name) + 1}/{len(names)}] {name} ...", flush=True)
            config = trained_config(name, args.text)
            for setting in MODELS[name]:
                print(f"      {setting.name}", flush=True)
                measured(config, setting, args.fresh)
    except Interrupted as interrupted:
        print(interrupted)
        return 130
    entries = [
        entry
        for name, settings in MODELS.items()
        for setting in settings
        for entry in kept(configs[name], setting)
    ]
    seconds = quantising_time(trained_config("stories", None))
    result = measure.about("quant.benchmark", load, 1, measure.versions(("numpy",)))
    result |= {"quantise": {"cpu": seconds}, "entries": entries}
    files.write_json(FOLDER / "integers.json", result)
    text = markdown(result)
    print(f"\n{text}\nwritten to {os.path.relpath(FOLDER / 'integers.json')}")
    if args.write_docs:
        measure.write_docs("integers", text)
    return 0


if __name__ == "__main__":
    cli.run(main)
