"""Training: `python -m model.train --help` shows the command line.

Every `eval_every` steps, and when it is interrupted, a run saves its whole state; it continues from
there by itself and ends with the same bits as a run that was never interrupted.
"""

from __future__ import annotations

import math
import os
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

from configs import cli
from configs.cli import UserError
from configs.schema import Config
from model import checkpoint, evaluate, guard, memory, plot, runs, tasks, transformer
from model.generate import at_least
from model.interrupt import Interrupted, stop_signals
from model.optim import clip, learning_rate


def train(
    config: Config, folder: Path, resume: bool = True, quiet: bool = False, debug: bool = False
) -> bool:
    """Train into `folder` until the run is finished; False if that had been done before.

    Raises Interrupted after SIGINT or SIGTERM, and UserError when numbers are no longer finite
    (`debug` looks at every tensor of every step, else loss and gradient tell).
    """
    task = tasks.load(config)
    run = runs.load(folder, config, task) if resume else None
    if run is not None and run.finished(config.train):
        if not (folder / "loss.png").exists():  # ended between the last step and the picture
            plot.loss_curve(folder / "loss.png", run.records, config.name)
        os.utime(folder / "weights.safetensors")  # up to date, for make
        return False
    if run is None:
        run = runs.fresh(config, task)
    elif not quiet:
        tqdm.write(f"continuing at step {run.step} of {config.train.steps}")
    with stop_signals() as stop, np.errstate(all="ignore"):  # the guard speaks instead
        _steps(config, folder, task, run, stop, quiet, debug)
    plot.loss_curve(folder / "loss.png", run.records, config.name)
    return True


def _steps(
    config: Config,
    folder: Path,
    task: tasks.Task,
    run: runs.Run,
    stop: list[int],
    quiet: bool,
    debug: bool,
) -> None:
    """The training loop, from run.step to the end."""
    run_id = runs.identity(config, task)
    grads = run.params.like()
    settings = config.train
    with tqdm(
        total=settings.steps,
        initial=run.step,
        unit="step",
        desc=config.name,
        disable=quiet or None,
    ) as bar:
        while not run.finished(settings):
            loss = _gradients(config, task, run, grads, debug)
            clip(grads.flat, settings.clip)
            run.optimizer.update(run.params, grads, settings, run.step)
            run.step += 1
            run.loss_sum += loss
            run.loss_count += 1
            bar.update()
            if run.step % settings.eval_every == 0 or run.step == settings.steps:
                trained = _evaluate(config, folder, task, run)
                runs.save(folder, run, run_id)
                if not quiet:
                    tqdm.write(_told(config, run, trained))
            elif stop:
                runs.save(folder, run, run_id)
            if stop and not run.finished(settings):
                raise Interrupted(
                    f"interrupted at step {run.step} of {settings.steps}; run again to go on"
                )


def _gradients(
    config: Config, task: tasks.Task, run: runs.Run, grads: transformer.Params, debug: bool
) -> float:
    """Mean loss of the step's batches; the mean of their gradients overwrites `grads`."""
    rng = runs.generator(config.train.seed, runs.BATCH, run.step)
    dropout = runs.generator(config.train.seed, runs.DROPOUT, run.step)
    count = config.train.accumulate
    total, summed = 0.0, np.zeros_like(grads.flat) if count > 1 else grads.flat
    for _ in range(count):
        batch = task.train_batch(rng)
        loss = transformer.loss_and_gradients(
            run.params,
            batch.tokens,
            batch.targets,
            config.model,
            grads,
            rng=dropout,
            **batch.inputs,
        )
        guard.check(loss, run.params, batch, config, grads, run.step, debug)
        total += loss
        if count > 1:
            summed += grads.flat
    if count > 1:
        np.divide(summed, count, out=grads.flat)
    return total / count


def _told(config: Config, run: runs.Run, trained: checkpoint.Checkpoint) -> str:
    """An evaluation for the eye: losses, a warning, a sample."""
    record = run.records[-1]
    text = (
        f"step {record['step']:6d}   training loss {record['train_loss']:.4f}   "
        f"validation {record['validation_loss']:.4f}"
    )
    if "accuracy" in record:
        text += f"   exact {record['accuracy']:.2%}"
    if warning := run.overfitting():
        text += f"   {warning}"
    if tokens := config.train.sample_tokens:
        rng = runs.generator(config.train.seed, runs.SAMPLE, run.step)
        text += f"\n  {evaluate.sample(trained, tokens, 0.7, rng)}"
    if run.finished(config.train) and run.step < config.train.steps:
        text += f"\nno better for {run.stale()} evaluations (train.patience): ended"
    return text


def _evaluate(
    config: Config, folder: Path, task: tasks.Task, run: runs.Run
) -> checkpoint.Checkpoint:
    """Add a record to the run, and save the weights if they are the best so far."""
    loss = evaluate.loss(run.params, task, config.model, windows=evaluate.WINDOWS)
    if not math.isfinite(loss):
        bad = guard.first_bad(run.params)
        raise guard.blame(f"parameter {bad}" if bad else "the validation loss", run.step, config)
    record = {
        "step": run.step,
        "train_loss": run.loss_sum / run.loss_count,
        "validation_loss": loss,
        "learning_rate": learning_rate(config.train, run.step - 1),
    }
    if isinstance(task, tasks.QuestionTask):
        record["accuracy"] = float(np.mean(evaluate.hits(run.params, task, config.model)))
    run.records.append(record)
    run.loss_sum, run.loss_count = 0.0, 0
    trained = checkpoint.Checkpoint(
        config.model,
        len(task.tokenizer.vocab),
        run.params,
        task.tokenizer,
        task.stop_token,
        task.prompt,
        run.step,
        loss,
    )
    if loss < run.best:
        run.best = loss
        checkpoint.save(folder, trained)
    return trained


def main() -> int:
    parser = cli.parser("model.train", "Train the float model of a config.")
    parser.add_argument("--text", help="UTF-8 file to learn from, instead of the config's")
    parser.add_argument("--seed", type=at_least(int, 0), help="instead of the config's")
    parser.add_argument("--steps", type=at_least(int, 1), help="instead of the config's")
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--resume", action="store_true", help="go on with an unfinished run (this is the default)"
    )
    group.add_argument("--fresh", action="store_true", help="begin anew, whatever is there")
    parser.add_argument(
        "--debug", action="store_true", help="look for NaN and infinity in every tensor, every step"
    )
    args = parser.parse_args()
    config = cli.load_config(args)
    if args.steps is not None:
        settings = config.train.model_copy(update={"steps": args.steps})
        config = config.model_copy(update={"train": settings})

    memory.keep()
    folder = config.build_dir / "model"
    if not args.fresh and runs.is_imported(folder):
        raise UserError(
            f"'{folder}' holds imported weights, and training begins with random ones: copy the "
            "config under another name, or train over them with --fresh"
        )
    start = time.perf_counter()
    try:
        new = train(config, folder, resume=not args.fresh, debug=args.debug)
    except Interrupted as interrupted:
        print(interrupted)
        return 130
    trained = checkpoint.load(folder)
    took = f"in {time.perf_counter() - start:.0f} s" if new else "before (--fresh trains anew)"
    print(
        f"{config.name}: trained {took}, {trained.params.flat.size} parameters, best validation "
        f"loss {trained.validation_loss:.4f} nats per token at step {trained.step}; in {folder}"
    )
    task = tasks.load(config)
    if isinstance(task, tasks.QuestionTask):
        counts = evaluate.accuracy(trained, task)
        print(evaluate.bars(counts))
        plot.accuracy(folder / "accuracy.png", counts, config.name)
    else:
        print(evaluate.samples(trained, config.train.seed))
    return 0


if __name__ == "__main__":
    cli.run(main)
