"""`python -m export.cycles`: cycles per token by position and by stage, without a simulation.

Needs no trained model: the schedule follows from shapes alone. Writes build/<config>/cycles/:
cycles.json (every position) and cycles.png.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from configs import cli, files, schema
from configs.cli import UserError
from export import interleave, program, validate
from export.blank import blank
from export.counters import ISSUED
from export.geometry import Geometry
from export.stages import STAGES, split
from export.timing import Machine, Token
from quant.qmodel import QuantModel

ROWS = 9  # of the printed table, at most, if the context is longer than twice as many


@dataclass(frozen=True)
class Cycles:
    """All tokens of a context, of one kind."""

    machine: Machine
    tokens: list[Token]

    def mean(self) -> float:
        return sum(token.cycles for token in self.tokens) / len(self.tokens)

    def floor(self) -> float:
        """Mean multiply-accumulates / multipliers, without padding."""
        g = self.machine.geometry
        macs = sum(g.macs(token.position, sampled=token.sampled) for token in self.tokens)
        return macs / len(self.tokens) / (g.rows * g.cols)

    def stages(self) -> list[dict[str, int]]:
        return [split(self.machine, token) for token in self.tokens]


def machine(qm: QuantModel, rows: int, cols: int) -> Machine:
    """The machine that `export` would render; UserError when it would not."""
    validate.check(qm)
    g = Geometry.of(qm, rows, cols)
    return Machine.of(qm, g, program.build(qm, g).steps)


def single(one: Machine, *, sampled: bool = True) -> Cycles:
    """Every position of the context: sampled with a temperature, or read as a prompt."""
    tokens: list[Token] = []
    for position in range(one.geometry.context):
        if position > 1 and one.alike(position - 1, position):
            tokens.append(replace(tokens[-1], position=position))
            continue
        first = sampled and position == 0
        tokens.append(one.token(position, sampled=sampled, first=first, warm=sampled))
    return Cycles(one, tokens)


def interleaved(
    qm: QuantModel, g: Geometry, *, sampled: bool = True, tokens: int | None = None
) -> interleave.Result:
    """All streams at once: writing `tokens` with noise, or reading them as a prompt; by default as
    many as the context holds."""
    count = g.context if tokens is None else tokens
    length = (1, count) if sampled else (count, 1)
    asked = [[interleave.Request(*length, True)] for _ in range(g.streams)]
    return interleave.run(qm, g, program.build(qm, g).steps, asked)


def several(qm: QuantModel, g: Geometry, tokens: int | None = None) -> dict[str, dict]:
    """Figures of all streams together, by what they do."""
    result = {}
    for name in ("sampled", "prompt"):
        run = interleaved(qm, g, sampled=name == "sampled", tokens=tokens)
        mean, floor = run.cycles_per_token(), run.floor(g)
        result[name] = {
            "tokens": len(run.starts),
            "mean": round(mean, 3),
            "floor": round(floor, 3),
            "utilisation": round(floor / mean, 4),
            "waves": run.causes[ISSUED],
            "stages": {stage: run.stages[stage] for stage in STAGES},
            "latency": latencies(run, g.streams),
        }
    return result


def latencies(run: interleave.Result, streams: int) -> list[float]:
    """Cycles from start to sample of the sampled tokens by position, mean of all streams."""
    positions = sorted(start.position for start in run.starts if start.sampled)
    of: dict[int, list[int]] = {position: [] for position in positions}
    turn: Counter[int] = Counter()
    for (_, stream), cycles in zip(run.samples, run.latencies(), strict=True):
        of[positions[turn[stream] * streams]].append(cycles)
        turn[stream] += 1
    return [round(sum(some) / len(some), 1) for some in of.values()]


def together_table(entries: dict[str, dict]) -> str:
    """Cycles per token of all streams by stage; how long each token is under way by position."""
    head = "".join(f"{name:>10}" for name in ("cycles", *STAGES, "floor"))
    lines = [f"{'tokens':>9}{head}   useful"]
    for name, entry in entries.items():
        cells = [entry["mean"], *(n / entry["tokens"] for n in entry["stages"].values())]
        lines.append(line(name, cells, entry["floor"], entry["mean"]))
    under_way = entries["sampled"]["latency"]
    chosen = shown(len(under_way))[:: 2 if len(under_way) > ROWS else 1]
    lines.append(
        "a written token is under way, by position: "
        + ", ".join(f"{position}: {under_way[position]:,.0f}" for position in chosen)
        + " cycles"
    )
    return "\n".join(lines)


def vocabulary(config: schema.Config, given: int | None) -> int:
    """Tokens of the vocabulary: as given, or of what was trained; UserError when neither is."""
    if given is not None:
        if not 2 <= given < 2**16:
            raise UserError(f"--vocab {given}: choose a number of tokens from 2 to {2**16 - 1}")
        return given
    path = config.build_dir / "model" / "config.json"
    if not path.is_file():
        raise UserError(
            f"config '{config.name}' is not trained, so its vocabulary is not known: give --vocab"
        )
    try:
        return int(json.loads(path.read_text(encoding="utf-8"))["vocab_size"])
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path} is damaged: give --vocab, or train again") from None


def array(text: str) -> tuple[int, int]:
    """ "8x16" to (8, 16); UserError for anything else."""
    rows, _, cols = text.partition("x")
    if not (rows.isdecimal() and cols.isdecimal()):
        raise UserError(f"--array {text}: give rows x columns, such as 8x16")
    if not all(2 <= int(side) <= schema.SIDE for side in (rows, cols)):
        raise UserError(f"--array {text}: rows and columns are 2 to {schema.SIDE}")
    return int(rows), int(cols)


def shown(count: int) -> list[int]:
    """Positions of the printed table: all, or some from the first to the last."""
    if count <= 2 * ROWS:
        return list(range(count))
    return sorted({round(n * (count - 1) / (ROWS - 1)) for n in range(ROWS)})


def line(name: str, cells: Iterable[float], floor: float, total: float) -> str:
    numbers = "".join(f"{cell:10,.0f}" for cell in cells)
    return f"{name:>9}{numbers}{floor:10,.0f}{100 * floor / total:8.1f} %"


def table(cycles: Cycles) -> str:
    """By position, and the mean of all of them."""
    g, stages = cycles.machine.geometry, cycles.stages()
    head = "".join(f"{name:>10}" for name in ("cycles", *STAGES, "floor"))
    lines = [f"{'position':>9}{head}   useful"]
    for position in shown(len(cycles.tokens)):
        token = cycles.tokens[position]
        floor = g.macs(position, sampled=token.sampled) / (g.rows * g.cols)
        cells = [token.cycles, *stages[position].values()]
        lines.append(line(str(position), cells, floor, token.cycles))
    means = [sum(one[name] for one in stages) / len(stages) for name in STAGES]
    lines.append(line("mean", [cycles.mean(), *means], cycles.floor(), cycles.mean()))
    return "\n".join(lines)


def plot(path: Path, title: str, stages: Sequence[dict[str, int]]) -> None:
    """Cycles by position, stacked by stage, waits on top."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    colours = ["#3b6ea5", "#6fa8dc", "#9fc5e8", "#e69138", "#cc4125", "#8e7cc3", "#b7b7b7"]
    rows = [[one[name] for one in stages] for name in STAGES]
    axes.stackplot(range(len(stages)), rows, labels=list(STAGES), colors=colours, step="mid")
    axes.set(xlabel="position", ylabel="cycles per token", title=title)
    axes.margins(x=0)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False, reverse=True)
    figure.savefig(path)


def data(cycles: Cycles) -> dict:
    """Every position, as plain data."""
    stages = cycles.stages()
    return {
        "mean": round(cycles.mean(), 3),
        "floor": round(cycles.floor(), 3),
        "utilisation": round(cycles.floor() / cycles.mean(), 4),
        "cycles": [token.cycles for token in cycles.tokens],
        "stages": {name: [one[name] for one in stages] for name in STAGES},
        "counters": [token.counters() for token in cycles.tokens],
    }


def arguments() -> argparse.Namespace:
    parser = cli.parser("export.cycles", "Cycles per token of a config's machine, predicted.")
    parser.add_argument("--text", metavar="FILE", help="the text that the model was trained on")
    parser.add_argument("--array", metavar="RxC", help="another array than the config's")
    cli.add_streams(parser)
    parser.add_argument("--tokens", type=int, metavar="N", help="of each stream; default: context")
    parser.add_argument("--vocab", type=int, metavar="N", help="tokens, if nothing is trained yet")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    config = cli.load_config(args)
    rows, cols = config.hardware.rows, config.hardware.cols
    if args.array:
        rows, cols = array(args.array)
    qm = blank(config, vocabulary(config, args.vocab))
    one = machine(qm, rows, cols)
    if args.tokens is not None and not 1 <= args.tokens <= one.geometry.context:
        raise UserError(f"--tokens {args.tokens}: choose 1 to {one.geometry.context}, the context")
    streams = config.hardware.streams if args.streams is None else args.streams
    together = Geometry.of(qm, rows, cols, streams)
    kinds = {"sampled": single(one), "prompt": single(one, sampled=False)}
    title = f"{config.name} on {rows} x {cols} = {rows * cols} multipliers"
    for name, cycles in kinds.items():
        print(f"{title}, {name} tokens\n{table(cycles)}\n")
    contents: dict[str, Any] = {"config": config.name, "array": {"rows": rows, "cols": cols}}
    contents |= {"about": STAGES} | {name: data(cycles) for name, cycles in kinds.items()}
    if streams > 1:
        contents["interleaved"] = {"streams": streams} | several(qm, together, args.tokens)
        print(f"{streams} streams interleaved, {args.tokens or one.geometry.context} tokens each")
        entries = {name: contents["interleaved"][name] for name in kinds}
        for name, entry in entries.items():
            print(
                f"{name:>9}{entry['mean']:10,.1f} cycles per token; floor {entry['floor']:,.1f}; "
                f"useful {100 * entry['utilisation']:.1f} %"
            )
        print(f"{together_table(entries)}\n")
    out = config.build_dir / "cycles"
    out.mkdir(parents=True, exist_ok=True)
    files.write_json(out / "cycles.json", contents)
    plot(out / "cycles.png", f"{title}, sampled tokens", kinds["sampled"].stages())
    print(f"written     {out}")


if __name__ == "__main__":
    cli.run(main)
