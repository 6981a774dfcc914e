"""What every cycle of every token was spent on: by the trace of a simulation, and by the model."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

from configs.schema import Config
from export.blank import blank
from export.counters import HOST, IDLE
from export.cycles import machine
from sim import core

Spent = dict[tuple[int, int], int]  # (cause, step) -> cycles; step -1 when no program runs
NOT_BUSY = 7


def measured(run: Path) -> list[tuple[int, Spent]]:
    """Cycles of each token, to the next start or to one after the last sample, and their use."""
    rows = [line.split() for line in (run / "trace.txt").read_text().splitlines()]
    starts = [int(row[1]) for row in rows if row[0] == "S"]
    samples = [int(row[1]) for row in rows if row[0] == "T"]
    lines = (run / "activity.txt").read_text().splitlines()
    changes = [  # before the first token no step is known, X in Icarus
        tuple(int(text) if text.isdigit() else -1 for text in line.split()) for line in lines
    ]
    end = max(starts[-1], samples[-1]) + 1
    use = []
    for (cycle, cause, step), (until, *_) in pairwise([*changes, (end, 0, 0)]):
        key = (cause, -1 if cause in (HOST, IDLE, NOT_BUSY) else step)
        use += [key] * (until - cycle)
    offset = changes[0][0]
    result = []
    for begin, following in pairwise([*starts, end]):
        sampled = [cycle for cycle in samples if begin < cycle < following]
        upto = sampled[0] + 1 if sampled else following
        result.append((upto - begin, dict(Counter(use[begin - offset : upto - offset]))))
    return result


def predicted(config: Config, vocab: int, outcome: core.Outcome) -> list[tuple[int, Spent]]:
    """The same from the cycle model, which knows the config's shapes but none of its numbers."""
    model = machine(blank(config, vocab), config.hardware.rows, config.hardware.cols)
    result = []
    for request, answer in zip(outcome.requests, outcome.answers, strict=True):
        last = len(request.prompt) - 1
        for position in range(last + len(answer.tokens)):
            token = model.token(
                position,
                sampled=position >= last,
                first=position == 0,
                warm=request.temperature > 0,
            )
            result.append((token.cycles, dict(token.spent)))
    return result
