"""Trained checkpoint -> artefact and report, in the order the user sees it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from configs.cli import UserError
from configs.schema import Config, ModelConfig
from model import checkpoint, runs, tasks
from model.checkpoint import Checkpoint
from quant import calibrate, keep
from quant.balance import balance, wanted
from quant.calibrate import Statistics
from quant.fold import Folded, fold
from quant.golden import GoldenModel
from quant.qmodel import QuantModel
from quant.quantize import format_rows, quantize
from quant.report import details
from quant.score import exact_answers, score
from quant.smooth import smooth
from quant.turn import turned


def check_supported(model: ModelConfig) -> None:
    """UserError unless the integers can do all that the float model does."""
    quantised = {
        "norm_position": ("pre",),
    }
    for option, values in quantised.items():
        value = getattr(model, option)
        if value not in values:
            known = " or ".join(map(repr, values))
            raise UserError(
                f"model.{option} = {value!r}: not yet quantised: the integer model needs {known}"
            )


def load_trained(config: Config) -> tuple[Checkpoint, tasks.Task]:
    """Checkpoint and data of `config`; UserError unless they belong together."""
    check_supported(config.model)
    trained = checkpoint.load(config.build_dir / "model")
    task = tasks.load(config)
    if trained.config != config.model:
        raise UserError(
            f"the model in {config.build_dir / 'model'} has another [model] section than config "
            f"'{config.name}'; run make train again"
        )
    if trained.tokenizer.to_dict() != task.tokenizer.to_dict():
        raise UserError(
            f"the model in {config.build_dir / 'model'} was trained on another text; "
            "run make train again"
        )
    return trained, task


def prepare(
    config: Config, trained: Checkpoint, task: tasks.Task, text: str | None = None
) -> tuple[Folded, Statistics]:
    """The float model as the integers compute it, and what its stages hold on training text.

    `text`: path of another text to calibrate on.
    """
    count = config.quant.calibration_windows
    if text is None:
        windows = task.calibration(count, runs.generator(config.train.seed, runs.CALIBRATION))
    else:
        windows = windows_of(text, trained, task, count)
    folded = turned(fold(trained.params, trained.config))
    stats = calibrate.collect(folded, windows)
    folded = balance(folded, stats, config.quant) if wanted(config.quant) else smooth(folded, stats)
    return folded, calibrate.collect(folded, windows)


def windows_of(path: str, trained: Checkpoint, task: tasks.Task, count: int) -> tasks.Batch:
    """`count` windows of tokens, spread evenly over a text; UserError where it cannot serve."""
    if isinstance(task, tasks.QuestionTask):
        raise UserError("questions are calibrated on their own: leave out --calibration-text")
    tokens = np.array(trained.tokenizer.encode(tasks.read_text(path)), np.int32)
    length = task.validation.tokens.shape[1]
    if (there := len(tokens) // length) < count:
        raise UserError(
            f"text '{path}' holds {there} windows of {length} tokens: give a longer text, or make "
            f"quant.calibration_windows, which is {count}, no more than that"
        )
    starts = np.arange(count) * there // count * length
    windows = tokens[starts[:, None] + np.arange(length)]  # [count, T]
    return tasks.Batch(windows, windows)


def build(
    config: Config, trained: Checkpoint, task: tasks.Task, folded: Folded, stats: Statistics
) -> QuantModel:
    """Quantise what `prepare` returned."""
    meta = {
        "name": config.name,
        "prompt": trained.prompt,
        "source": keep.source(config),
        "questions": questions(task),
    }
    tokenizer = trained.tokenizer.to_dict()
    return quantize(folded, stats, config.quant, tokenizer, trained.stop_token, meta)


def questions(task: tasks.Task) -> list[list[list[int]]]:
    """Held-out [prompt, answer] token ids, the end token included: `sim --questions` asks them."""
    if not isinstance(task, tasks.QuestionTask):
        return []
    return [list(pair) for pair in zip(task.questions, task.answers, strict=True)]


def report(
    config: Config, trained: Checkpoint, task: tasks.Task, folded: Folded, qm: QuantModel
) -> dict[str, Any]:
    """Everything that was measured, as plain data; `folded` is what `qm` was made from."""
    return {
        "config": config.name,
        "quant": config.quant.model_dump(),
        "formats": format_rows(qm),
        "accumulator_bits": qm.acc_bits(),
        **measure(trained, task, qm),
        **details(folded, GoldenModel(qm), task),
    }


def measure(trained: Checkpoint, task: tasks.Task, qm: QuantModel) -> dict[str, Any]:
    """What the integers lose on held-out data: `score`, and of questions `exact_answers`."""
    gm = GoldenModel(qm)
    scored = score(trained, gm, task).as_dict()
    result: dict[str, Any] = {
        "score": {key: value if math.isfinite(value) else None for key, value in scored.items()}
    }
    if isinstance(task, tasks.QuestionTask):
        result["exact_answers"] = exact_answers(trained, gm, task)
    return result


def describe(result: dict[str, Any]) -> str:
    """The report for people."""
    lines = [f"{'stage':26} {'bits':>4} {'frac':>4}  range"]
    for row in result["formats"]:
        top = 2.0 ** (row["bits"] - row["signed"] - row["frac"])
        low = (0 - row["zero"]) * 2.0 ** -row["frac"]
        span = f"±{top:.4g}" if row["signed"] else f"{low:.4g} to {top + low:.4g}"
        lines.append(f"{row['stage']:26} {row['bits']:4} {row['frac']:4}  {span}")
    s = {key: math.nan if value is None else value for key, value in result["score"].items()}
    lines += [
        "",
        f"accumulator: {result['accumulator_bits']} bits",
        f"held-out tokens: {s['tokens']}",
        f"loss, float:     {s['float_loss']:.5f} nats per token",
        f"loss, integer:   {s['integer_loss']:.5f}   "
        f"({s['loss_increase']:+.5f} ± {s['loss_increase_se']:.5f})",
        f"same argmax:     {s['same_argmax']:.2%} ± {s['same_argmax_se']:.2%}",
        f"KL(float, int):  {s['kl']:.6f} ± {s['kl_se']:.6f} nats",
    ]
    if answers := result.get("exact_answers"):
        lines.append(
            f"exact answers:   float {answers['float']}, integer {answers['integer']} "
            f"of {answers['questions']}"
        )
    return "\n".join(lines)
