"""`python -m quant.qat`: train the integer model to do what the float model does.

Each step runs the golden model itself on training windows, and compares its logits with those of
the float model (distillation, arXiv 1503.02531). What is learned are float parameters behind the
integers (`latent.py`), by straight-through gradients (`straight_through.py`).
"""

from __future__ import annotations

import math
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from configs import cli
from configs.cli import UserError
from configs.schema import Config, ModelConfig, TrainConfig
from model import memory, runs, tasks, transformer
from model.checkpoint import Checkpoint
from model.generate import at_least
from model.interrupt import Interrupted, stop_signals
from model.optim import clip
from model.tasks import Batch
from quant import keep, pipeline, report_page, straight_through, unfinished
from quant.golden import GoldenModel
from quant.latent import Latent, weights
from quant.qmodel import QuantModel
from quant.unfinished import Run

Array = np.ndarray
STEPS = 9000
BATCH_TOKENS = 1024  # about; many small steps learn more than few large ones
LEARNING_RATE = 8e-3  # of parameters in units of about their size
MOMENTUM = 0.5  # beta1 of Adam: with more, weights overshoot and cross back
BETA2 = 0.999  # a slower one lets less cross at the end
WARMUP = 20
PACE_BATCHES = 8
TIMES = 4  # that a batch serves: the float model reads it once
DRAWS = 192  # batches in turn; with fewer the same one comes back too soon and is learned less from
LEAST_DRAWS = 16
KEPT = 1 << 24  # probabilities of them, 64 MiB: large vocabularies have fewer batches in turn
RUNAWAY = 1e4  # of parameters in those units
SAVE_EVERY = 250  # steps
SETTLE = 1.0  # at the end, per learning rate, the part by which weights move to their codes


@dataclass(frozen=True)
class Settings:
    """How to train: for `steps`, or with `minutes` for that long."""

    steps: int = STEPS
    minutes: float | None = None
    learning_rate: float = LEARNING_RATE


def progress(settings: Settings, run: Run) -> float:
    """How much of the training is done, from 0 to 1."""
    if settings.minutes is None:
        return min(run.step / settings.steps, 1.0)
    return min(run.clock / (60 * settings.minutes), 1.0)


def train(
    trained: Checkpoint,
    task: tasks.Task,
    run: Run,
    settings: Settings,
    seed: int,
    quiet: bool = False,
) -> Iterator[tuple[float, QuantModel]]:
    """After each step: the KL divergence, and the integers that it was measured with."""
    latent, params, grads = run.latent, run.latent.params, run.latent.params.like()
    lessons: dict[int, Lesson] = {}
    draws = in_turn(len(trained.tokenizer.vocab))
    begun = progress(settings, run)
    with tqdm(total=1.0, initial=begun, desc="qat", disable=quiet or None, bar_format=BAR) as bar:
        while (part := progress(settings, run)) < 1:
            clock, cpu = time.perf_counter(), time.process_time()
            number = draw(run.step, draws)
            if number not in lessons:
                lessons = {n: old for n, old in lessons.items() if n > number - draws}
                lessons[number] = teach(trained, task, seed, number)
            if not np.abs(params.flat).max() < RUNAWAY:
                raise UserError(f"the training ran away at step {run.step}: lower --learning-rate")
            qm = latent.artefact()
            kl, found = gradients(trained.config, qm, lessons[number])
            latent.gradients(found, qm, grads)
            clip(grads.flat, 1.0)
            rate = settings.learning_rate * 0.5 * (1 + math.cos(math.pi * part))
            rate *= min(1.0, (run.step + 1) / WARMUP)
            run.optimizer.update(params, grads, _constant(rate), run.step)
            latent.settle(qm, min(1.0, SETTLE * rate * part))
            run.step += 1
            run.clock += time.perf_counter() - clock
            run.cpu += time.process_time() - cpu
            bar.set_postfix_str(f"step {run.step}, KL {kl:.4f}", refresh=False)
            bar.update(progress(settings, run) - part)
            yield kl, qm


BAR = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}, {postfix}"


def _constant(rate: float) -> TrainConfig:
    return TrainConfig(
        learning_rate=rate,
        schedule="constant",
        warmup_steps=0,
        weight_decay=0,
        beta1=MOMENTUM,
        beta2=BETA2,
    )


class Lesson(NamedTuple):
    """A training batch, and what the float model says of it: probabilities p [B, T, V], and the
    sums of p log p [B, T]."""

    batch: Batch
    wanted: Array
    sureness: Array


def in_turn(vocabulary: int) -> int:
    """How many batches come in turn, for so many tokens."""
    return max(LEAST_DRAWS, min(DRAWS, KEPT // (BATCH_TOKENS * vocabulary)))


def draw(step: int, draws: int) -> int:
    """The number of the batch that a step learns from."""
    return step // (draws * TIMES) * draws + step % draws


def teach(trained: Checkpoint, task: tasks.Task, seed: int, number: int) -> Lesson:
    """The batch with this number."""
    batch = task.train_batch(runs.generator(seed, runs.QAT, number))
    logits = transformer.forward(trained.params, batch.tokens, trained.config, **batch.inputs)
    return lesson(batch, logits)


def lesson(batch: Batch, logits: Array) -> Lesson:
    """A batch with the float model's logits [B, T, V] of it."""
    p, log_p = _softmax(logits)
    return Lesson(batch, p, np.einsum("btv,btv->bt", p, log_p))


def squares(trained: Checkpoint, task: tasks.Task, latent: Latent, seed: int) -> dict[str, float]:
    """Mean square gradients of the parameters, before the first step, over a few batches."""
    qm, grads = latent.artefact(), latent.params.like()
    total = dict.fromkeys(grads, 0.0)
    for number in range(PACE_BATCHES):
        found = gradients(trained.config, qm, teach(trained, task, seed, number))[1]
        latent.gradients(found, qm, grads)
        for name, gradient in grads.items():
            total[name] += float(np.mean(gradient**2))
    return total


def gradients(
    config: ModelConfig, qm: QuantModel, lesson: Lesson
) -> tuple[float, dict[str, Array]]:
    """KL(float model, integer model) per position that is asked for, and its gradients by name."""
    batch = lesson.batch
    trace: dict[str, Array] = {}
    codes = GoldenModel(qm).forward(batch.tokens, trace, **batch.inputs, kind=np.float32)
    logits = codes.astype(np.float32) * np.float32(2.0**-qm.logit_frac)
    kl, dlogits = divergence(lesson, logits)
    values = straight_through.decode(qm, trace, weights(qm))
    found = straight_through.backward(
        values, batch.tokens, dlogits, config, qm.vocab_size, batch.source
    )
    return kl, found


def divergence(lesson: Lesson, logits: Array) -> tuple[float, Array]:
    """Mean KL(wanted, softmax(logits)) where the batch asks for it, and its slope [B, T, V]."""
    q, log_q = _softmax(logits)
    scored = lesson.batch.targets >= 0
    count = max(int(scored.sum()), 1)
    kl = lesson.sureness - np.einsum("btv,btv->bt", lesson.wanted, log_q)
    q -= lesson.wanted
    q *= (scored / q.dtype.type(count))[..., None].astype(q.dtype)
    return float(kl[scored].sum(dtype=np.float64)) / count, q


def _softmax(logits: Array) -> tuple[Array, Array]:
    """Probabilities and their logarithms over the last axis."""
    log_p = logits - logits.max(axis=-1, keepdims=True)
    p = np.exp(log_p)
    total = p.sum(axis=-1, keepdims=True)
    p /= total
    log_p -= np.log(total)
    return p, log_p


def run(
    config: Config,
    settings: Settings,
    quiet: bool = False,
    section: dict[str, Any] | None = None,
    resume: bool = True,
) -> dict[str, Any]:
    """Train, write the artefact in one step, and return its report.

    Ctrl-C leaves the old artefact, and the state of the training, from which the next call of the
    same goes on (Interrupted).

    section: `keep.section` of the config as the user has it, if not that of `config`.
    """
    rows = max(1, BATCH_TOKENS // config.model.context)
    batches = config.train.model_copy(update={"batch_size": rows})
    trained, task = pipeline.load_trained(config.model_copy(update={"train": batches}))
    folded, stats = pipeline.prepare(config, trained, task)
    before = pipeline.build(config, trained, task, folded, stats)
    path = config.build_dir / "qat" / "last.safetensors"
    about = {**asdict(settings), "seed": config.train.seed, "text": task.fingerprint}
    run_id = unfinished.digest(before, about)
    latent = Latent(folded, stats, before)
    latent.pace(squares(trained, task, latent, config.train.seed))
    run = unfinished.load(path, latent, run_id) if resume else unfinished.fresh(latent)
    if run.step and not quiet:
        tqdm.write(f"continuing at step {run.step}")
    with stop_signals() as stop:
        for _ in train(trained, task, run, settings, config.train.seed, quiet):
            if stop or run.step % SAVE_EVERY == 0:
                unfinished.save(path, run, run_id)
            if stop:
                raise Interrupted(f"interrupted at step {run.step}; run again to go on")
    after = keep.as_trained(latent.artefact(), section or keep.section(config))
    after.validate()
    result = pipeline.report(config, trained, task, folded, after)
    result["ptq"] = pipeline.measure(trained, task, before)
    result["qat"] = {
        "steps": run.step,
        "cpu_seconds": round(run.cpu, 1),
        "learning_rate": settings.learning_rate,
        "seed": config.train.seed,
    }
    after.save(config.build_dir / "quant", result, report_page.render(result))
    shutil.rmtree(path.parent, ignore_errors=True)
    return result


def describe(result: dict[str, Any]) -> str:
    """Float, quantised and trained model side by side."""
    bits, qat = result["quant"]["weight_bits"], result["qat"]
    mixed = " (others: quant.bits)" if result["quant"].get("bits") else ""
    columns = [result["ptq"], result]
    scores = [column["score"] for column in columns]
    rows = [
        ("", "float", "quantised", "trained"),
        ("loss", f"{scores[0]['float_loss']:.5f}", *(f"{s['integer_loss']:.5f}" for s in scores)),
        ("  above float", "", *(_pm(s, "loss_increase", "+.5f") for s in scores)),
        ("same argmax", "", *(_pm(s, "same_argmax", ".2%") for s in scores)),
        ("KL(float, int)", "", *(_pm(s, "kl", ".5f") for s in scores)),
    ]
    if "exact_answers" in result:
        answers = [column["exact_answers"] for column in columns]
        count = answers[0]["questions"]
        counts = [answers[0]["float"], *(one["integer"] for one in answers)]
        rows.append(("exact answers", *(f"{right} of {count}" for right in counts)))
    lines = [f"{name:16}{real:14}{ptq:22}{trained}".rstrip() for name, real, ptq, trained in rows]
    return "\n".join(
        [
            f"weights of {bits} bits{mixed}, {qat['steps']} steps in {qat['cpu_seconds']:.0f} "
            f"CPU s; {scores[0]['tokens']} held-out tokens",
            *lines,
        ]
    )


def _pm(score: dict[str, Any], name: str, form: str) -> str:
    """Mean ± standard error."""
    error = score[name + "_se"]
    text = format(score[name], form)
    return text if error is None else f"{text} ± {format(error, form.lstrip('+'))}"


def main() -> int:
    parser = cli.parser(
        "quant.qat",
        "Train the integer model of a config to do what its float model does, from the quantised "
        "one on; print float, quantised and trained model side by side; replace "
        "build/<config>/quant/.",
    )
    parser.add_argument(
        "--text", help="the text that the model was trained on, if not the config's"
    )
    parser.add_argument(
        "--weight-bits", type=int, help="2 (-1, 0, 1) to 8, instead of the config's"
    )
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--steps", type=at_least(int, 1), default=STEPS, help="how long to train")
    group.add_argument("--minutes", type=float, help="how long to train, by the clock instead")
    parser.add_argument(
        "--learning-rate", type=float, default=LEARNING_RATE, help="at the start; ends at 0"
    )
    parser.add_argument("--seed", type=at_least(int, 0), help="of the windows of text")
    parser.add_argument(
        "--fresh", action="store_true", help="begin anew; else an interrupted training goes on"
    )
    args = parser.parse_args()
    config = cli.load_config(args)
    section = keep.section(config)
    if args.weight_bits is not None:
        if not 2 <= args.weight_bits <= 8:
            raise UserError(f"--weight-bits {args.weight_bits}: choose 2 (-1, 0, 1) to 8")
        quant = config.quant.model_copy(update={"weight_bits": args.weight_bits})
        config = config.model_copy(update={"quant": quant})
    for name in ("minutes", "learning_rate"):
        if (value := getattr(args, name)) is not None and not 0 < value < math.inf:
            raise UserError(f"--{name.replace('_', '-')} {value}: give a number above 0")
    memory.keep()
    settings = Settings(args.steps, args.minutes, args.learning_rate)
    try:
        result = run(config, settings, section=section, resume=not args.fresh)
    except Interrupted as interrupted:
        print(interrupted)
        return 130
    print(describe(result))
    print(f"\nwritten to {os.path.relpath(config.build_dir / 'quant')}")
    return 0


if __name__ == "__main__":
    cli.run(main)
