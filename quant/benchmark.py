"""What integers lose, in the widths that matter, before and after their training.

The models are those of the configs `stories`, of `shakespeare` on --text, and of question tasks;
each is trained first where that is missing. Nothing of theirs is replaced: the integers go to
folders of their own, which are removed again.

Writes build/bench/integers.json; --write-docs puts the table into docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
from collections.abc import Iterator
from typing import Any, NamedTuple

from configs import cli, files, measure, schema
from configs.cli import UserError
from configs.measure import row
from configs.schema import Config
from quant import pipeline, qat

FOLDER = schema.BUILD_DIR / "bench"


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
def apart(config: Config) -> Iterator[Config]:
    """The config under another name, with a copy of the model in its folder."""
    ours = config.model_copy(update={"name": f"{config.name}-bench"})
    try:
        shutil.copytree(config.build_dir / "model", ours.build_dir / "model", dirs_exist_ok=True)
        yield ours
    finally:
        shutil.rmtree(ours.build_dir, ignore_errors=True)


def measured(config: Config, setting: Setting) -> list[dict[str, Any]]:
    """One entry for the quantised model, and one for the trained one where the setting says so."""
    quant = schema.QuantConfig.model_validate(config.quant.model_dump() | setting.options)
    entry = {"model": config.name, "setting": setting.name}
    with apart(config.model_copy(update={"quant": quant})) as ours:
        if setting.train:
            result = qat.run(ours, qat.Settings())
            return [entry | result["ptq"], entry | result]
        trained, task = pipeline.load_trained(ours)
        qm = pipeline.build(ours, trained, task, *pipeline.prepare(ours, trained, task))
        return [entry | pipeline.measure(trained, task, qm)]


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
            name += f", trained for {trained['cpu_seconds']:.0f} CPU s"
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


def main() -> None:
    parser = cli.parser("quant.benchmark", __doc__.partition("\n")[0], config=False)
    parser.add_argument("--text", metavar="FILE", help="the text of the model `shakespeare`")
    parser.add_argument("--only", default=",".join(MODELS), metavar="MODELS", help="which of them")
    parser.add_argument("--write-docs", action="store_true", help="update docs/benchmarks.md")
    args = parser.parse_args()
    names = args.only.split(",")
    if unknown := sorted(set(names) - set(MODELS)):
        raise UserError(f"--only {unknown[0]}: choose from {','.join(MODELS)}")
    if args.text is None and "shakespeare" in names:
        print("shakespeare: needs --text FILE")
        names.remove("shakespeare")
    load, entries = measure.load(), []
    for name in names:
        print(f"[{names.index(name) + 1}/{len(names)}] {name} ...", flush=True)
        config = trained_config(name, args.text)
        for setting in MODELS[name]:
            print(f"      {setting.name}", flush=True)
            entries += measured(config, setting)
    seconds = quantising_time(trained_config("stories", None))
    result = measure.about("quant.benchmark", load, 1, measure.versions(("numpy",)))
    result |= {"quantise": {"cpu": seconds}, "entries": entries}
    files.write_json(FOLDER / "integers.json", result)
    text = markdown(result)
    print(f"\n{text}\nwritten to {os.path.relpath(FOLDER / 'integers.json')}")
    if args.write_docs:
        measure.write_docs("integers", text)


if __name__ == "__main__":
    cli.run(main)
