"""What each unit of the machine did during one token, read from the records of a simulation."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from configs.cli import UserError

BUSY_NOT = 7  # cause of cycles in which no request is in the machine, see trace_writer.sv
UNITS = (
    *("array", "embedding", "vector unit", "residual, norm", "softmax", "1 / sum"),
    *("KV writer", "noise", "sampler"),
)


@dataclass(frozen=True)
class Bar:
    """A unit is busy from cycle `begin`, for `cycles`."""

    begin: int
    cycles: int
    label: str
    cause: str = ""  # of a bubble
    step: int = -1  # of the array


@dataclass
class Token:
    """One token: its place, and the bars of each unit; cycles count from its start."""

    position: int
    sampled: bool
    cycles: int
    bars: dict[str, list[Bar]] = field(default_factory=lambda: defaultdict(list))


def short(step: dict) -> str:
    """`layers.1.attn_scores` of head 2 to `1 qk2`."""
    layer, _, stage = step["stage"].removeprefix("layers.").partition(".")
    if not stage:
        return "logits"
    names = {"attn_scores": "qk", "attn_out": "pv", "attn_residual": "o", "ffn_hidden": "up"}
    names["ffn_residual"] = "down"
    head = "" if step["head"] is None else str(step["head"])
    return f"{layer} {names.get(stage, stage)}{head}"


def starts(rows: list[list[str]]) -> list[tuple[int, int, int, bool]]:
    """(first cycle, cycle after the last, position, sampled) of all whole tokens."""
    if not any(row[0] == "S" for row in rows):
        return []
    begins = [(int(r[1]), int(r[2]), r[4] == "1") for r in rows if r[0] == "S"]
    samples = [int(r[1]) for r in rows if r[0] == "T"]
    last = [max([cycle for cycle, *_ in begins] + samples) + 1]
    ends = [cycle for cycle, *_ in begins[1:]] + last
    result = []
    for (begin, position, sampled), end in zip(begins, ends, strict=True):
        upto = min((cycle + 1 for cycle in samples if begin < cycle < end), default=end)
        result.append((begin, upto if sampled else end, position, sampled))
    return result


def choose(tokens: list[tuple[int, int, int, bool]], position: int | None) -> int:
    """The number of the last token at `position`; without one, of a late sampled token."""
    if position is None:
        sampled = [n for n, token in enumerate(tokens) if token[3]]
        return sampled[3 * len(sampled) // 4] if sampled else 0
    numbers = [n for n, token in enumerate(tokens) if token[2] == position]
    if not numbers:
        known = sorted({token[2] for token in tokens})
        raise UserError(
            f"--position {position}: the simulation has the positions {known[0]} to {known[-1]}"
        )
    return numbers[-1]


def array(activity: Path, names: list[str], causes: list[str], begin: int, end: int) -> list[Bar]:
    """Steps whose waves pass, and bubbles with their causes."""
    rows = [line.split() for line in activity.read_text().splitlines()]
    changes = [(int(cycle), int(cause), step) for cycle, cause, step in rows]
    bars = []
    for (cycle, cause, step), (until, *_) in pairwise([*changes, (end, 0, "")]):
        first, after = max(cycle, begin), min(until, end)
        if first >= after or cause == BUSY_NOT:
            continue
        name = causes[cause]
        known = step.isdigit() and int(step) < len(names) and name not in ("idle", "host")
        label = names[int(step)] if known else ""
        bubble, number = "" if name == "issued" else name, int(step) if known else -1
        bars.append(Bar(first - begin, after - first, label, bubble, number))
    return bars


def records(trace: Path) -> list[list[str]]:
    """Kind, cycle and numbers of what context 0 writes."""
    rows = [line.split() for line in trace.read_text().splitlines()]
    return [
        [kind, cycle, *rest[kind == "S" :]]
        for kind, cycle, context, *rest in rows
        if context == "0" and kind != "Z"
    ]


def read(folder: Path, manifest: dict, position: int | None) -> Token:
    """The token at `position` of the simulation in `folder`; UserError when there is none."""
    trace, activity = folder / "trace.txt", folder / "activity.txt"
    if not (trace.is_file() and activity.is_file()):
        raise UserError(f"no simulation in {folder}: run 'make sim'")
    rows = records(trace)
    tokens = starts(rows)
    if not tokens:
        raise UserError(f"the simulation in {folder} holds no whole token: run 'make sim'")
    begin, end, at, sampled = tokens[choose(tokens, position)]
    steps, p = manifest["trace"]["steps"], manifest["parameters"]
    names = [short(step) for step in steps]
    causes = manifest["counters"]["names"][1:]
    token = Token(at, sampled, end - begin)
    token.bars["array"] = array(activity, names, causes, begin, end)
    during = [row for row in rows if begin <= int(row[1]) < end]
    _units(token, during, steps, names, p, begin)
    if sampled:
        drawn = _noise(token, during, p, begin)
        token.bars["noise"].insert(0, Bar(0, min(drawn, token.cycles), "draw"))
    return token


def _units(
    token: Token, rows: list[list[str]], steps: list[dict], names: list[str], p: dict, begin: int
) -> None:
    """Everything behind the array; `written`: where a unit ends is what its record says."""
    bars, lanes = token.bars, 8 + p["Bump"]  # cycles from the sums to the write
    written, logits = 0, None
    for kind, text, *fields in rows:
        cycle = int(text) - begin
        if kind == "E":
            bars["embedding"].append(Bar(max(0, cycle - 3), 4, ""))
            bars["residual, norm"].append(Bar(cycle, 1, ""))
            written = cycle
        elif kind == "V":
            number, tile = int(fields[0]), int(fields[1])
            stage = steps[number]["stage"]
            qkv = stage.rpartition(".")[2] in ("q", "k", "v")
            late = p["RopeLatency"] if qkv else 0
            bars["vector unit"].append(Bar(cycle - late - lanes, lanes + late + 1, names[number]))
            if stage.endswith((".k", ".v")):
                channels = range(tile * p["Cols"], (tile + 1) * p["Cols"])
                waves = {channel // p["Rows"] for channel in channels}
                writes = len(waves) if stage.endswith(".k") else 1
                bars["KV writer"].append(Bar(cycle + 1, writes, names[number]))
            elif stage.endswith("_residual"):
                bars["residual, norm"].append(Bar(cycle, 1, ""))
                written = cycle
            elif stage == "logits":
                logits = cycle if tile == 0 else logits
        elif kind == "N":
            bars["residual, norm"].append(Bar(written, cycle - written + 1, "1 / rms"))
        elif kind == "P":
            bars["softmax"].append(Bar(cycle - 5, 6, ""))
        elif kind == "R":
            bars["1 / sum"].append(Bar(cycle - 6, 7, ""))
        elif kind == "T" and logits is not None:
            bars["sampler"].append(Bar(logits, cycle - logits + 1, ""))


def _noise(token: Token, rows: list[list[str]], p: dict, begin: int) -> int:
    """Tiles that the sampler reads; cycles in which the noise of a warm token is drawn."""
    for kind, text, *_ in rows:
        if kind == "G":
            token.bars["noise"].append(Bar(int(text) - begin, 1, ""))
    return int(p["Vocab"]) + 11
