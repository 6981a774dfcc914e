"""What every cycle of every token was spent on: by the trace of a simulation, and by the model."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

from configs.schema import Config
from export import interleave, program
from export.blank import blank
from export.counters import FETCH, HOST, IDLE, ISSUED, NAMES, OPERAND
from export.cycles import machine
from export.geometry import Geometry
from sim import core

Spent = dict[tuple[int, int], int]  # (cause, step) -> cycles; step -1 when no program runs
NOT_BUSY = 7
PAUSE = 2  # cycles from a closing beat to the next prompt, in the bench
Moment = tuple[int, ...]  # cycles count from the first start


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


def measured_streams(run: Path) -> tuple[list[Moment], list[Moment]]:
    """(cycle, context, stream, position, sampled) of every start, (cycle, stream) of samples."""
    rows = [line.split() for line in (run / "trace.txt").read_text().splitlines()]
    numbers = [[int(text) for text in row[1:]] for row in rows if row[0] == "S"]
    zero = numbers[0][0]
    starts = [(cycle - zero, c, s, position, last) for cycle, c, s, position, _, last in numbers]
    stream: dict[str, int] = {}
    samples: list[Moment] = []
    for row in rows:
        if row[0] == "S":
            stream[row[2]] = int(row[3])
        elif row[0] == "T":
            samples.append((int(row[1]) - zero, stream[row[2]]))
    return list(starts), samples


def predicted_streams(
    config: Config, vocab: int, outcome: core.Outcome
) -> tuple[list[Moment], list[Moment], dict[str, int]]:
    """The same from the cycle model, and what counters of the machine are."""
    hardware, qm = config.hardware, blank(config, vocab)
    g = Geometry.of(qm, hardware.rows, hardware.cols, hardware.streams)
    asked: list[list[interleave.Request]] = [[] for _ in range(hardware.streams)]
    for request, answer in zip(outcome.requests, outcome.answers, strict=True):
        one = interleave.Request(len(request.prompt), len(answer.tokens), request.temperature > 0)
        asked[request.stream].append(one)
    result = interleave.run(qm, g, program.build(qm, g).steps, asked, PAUSE)
    zero = result.starts[0].cycle
    starts: list[Moment] = [(cycle - zero, *rest) for cycle, *rest in result.starts]
    samples: list[Moment] = [(cycle - zero, stream) for cycle, stream in result.samples]
    counters = {NAMES[1 + cause]: result.causes[cause] for cause in (ISSUED, OPERAND, FETCH)}
    counters |= {"idle": result.idle, "host": 0}  # the bench never makes the machine wait
    counters["cycles"] = sum(counters.values())
    return starts, samples, counters
