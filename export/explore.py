"""`python -m export.explore`: every machine that fits a device, its speed and its cost, the front.

Each machine is one call of the cycle model, without a trained model and without a simulation, on a
pool of processes or on a Dask cluster. Writes build/<config>/explore/: explore.json, explore.png.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from configs import cli, devices, files, schema
from configs.cli import UserError
from configs.devices import Device
from export import cycles, interleave, program, resources, spec
from export.blank import blank
from export.geometry import Geometry
from export.interleave import Request
from export.program import Step
from export.timing import Machine
from quant.qmodel import QuantModel

SIDES = range(2, schema.SIDE + 1)  # rows and columns
CHUNK = 8  # machines of one task
STREAMS, WIDTHS = (1, 2, 4, 8), (8, 4, 2)  # unless others are asked for
TOKENS, PLACES = 6, 5  # of several streams: how much is played
SHOWN = 30  # lines of the printed fronts together
MHZ = 1e6
Shape = tuple[int, int, int]  # rows, columns, streams


@dataclass(frozen=True)
class Point:
    """One machine that fits."""

    rows: int
    cols: int
    streams: int
    weight_bits: int
    multipliers: int
    blocks: int
    cycles: float  # per sampled token, mean of all positions (and of all streams)
    floor: float
    tokens_per_second: float

    @property
    def utilisation(self) -> float:
        return self.floor / self.cycles


def shapes(config: schema.Config, device: Device, streams: Sequence[int]) -> list[Shape]:
    """Machines whose array fits the device."""
    return [
        (rows, cols, count)
        for rows, cols, count in product(SIDES, SIDES, streams)
        if rows * cols < device.multipliers
    ]


def evaluate(
    config: schema.Config,
    vocab: int,
    device: Device,
    widths: Sequence[int],
    clock: float,
    shape: Shape,
) -> list[Point | str]:
    """The machine of rows, columns and streams, for each width of weights: a point, or what does
    not fit."""
    qm = blank(config, vocab)
    g = Geometry.of(qm, *shape)
    taken = sum(resources.multipliers(g).values())
    if taken > device.multipliers:
        return ["multipliers"] * len(widths)
    builder = program.build(qm, g)
    blocks = {
        bits: sum(resources.blocks(device, resources.memories(qm, g, builder, bits)).values())
        for bits in widths
    }
    found: list[Point | str] = ["block RAM"] * sum(n > device.blocks for n in blocks.values())
    fitting = {bits: n for bits, n in blocks.items() if n <= device.blocks}
    if not fitting:
        return found
    if g.streams == 1:
        one = cycles.single(Machine.of(qm, g, builder.steps))
        mean, floor = one.mean(), one.floor()
    else:
        mean, floor = steady(qm, g, builder.steps)
    speed = clock * MHZ / mean
    return found + [
        Point(*shape, bits, taken, n, mean, floor, speed) for bits, n in fitting.items()
    ]


def too_large(config: schema.Config, vocab: int, device: Device, bits: int, streams: int) -> str:
    """The sums of the smallest array, for a device that holds none."""
    qm = blank(config, vocab)
    g = Geometry.of(qm, SIDES[0], SIDES[0], streams)
    builder = program.build(qm, g)
    rams = resources.blocks(device, resources.memories(qm, g, builder, bits))
    sums = (
        ("multipliers", resources.multipliers(g), device.multipliers),
        ("blocks", rams, device.blocks),
    )
    parts = [
        f"{what} {' + '.join(f'{n} {part}' for part, n in found.items() if n)} = "
        f"{sum(found.values())}, it has {limit}"
        for what, found, limit in sums
    ]
    return f"{g.rows} x {g.cols}, {streams} streams, {bits} b takes " + "; ".join(parts)


def steady(qm: QuantModel, g: Geometry, steps: Sequence[Step]) -> tuple[float, float]:
    """Cycles per token and floor while all streams write, from a few tokens of each at `PLACES`
    places of the context: about `cycles.interleaved`, which has to fill and drain as well."""
    cycles_sum, tokens, macs = 0, 0, 0
    length = min(TOKENS, g.context)
    for place in range(PLACES):
        first = round(place * (g.context - length) / (PLACES - 1))
        asked = [[Request(1, length, True, first)] for _ in range(g.streams)]
        starts = interleave.run(qm, g, steps, asked).starts
        ends = [max(s.cycle for s in starts if s.stream == n) for n in range(g.streams)]
        begins = [min(s.cycle for s in starts if s.stream == n) for n in range(g.streams)]
        inside = [s for s in starts if s.cycle < ends[s.stream]]  # last ones only mark the end
        cycles_sum += (sum(ends) - sum(begins)) // g.streams
        tokens += len(inside)
        macs += sum(g.macs(s.position) for s in inside)
    return cycles_sum / tokens, macs / tokens / (g.rows * g.cols)


def evaluate_all(
    job: Callable[[Shape], list[Point | str]], chunk: Sequence[Shape]
) -> list[Point | str]:
    return [one for shape in chunk for one in job(shape)]


def mapper(scheduler: str | None, workers: int) -> Callable[[Callable, list], Iterable[list]]:
    """How to apply a function to many arguments; UserError for a cluster that is not there."""
    if scheduler is None:

        def on_pool(job: Callable, tasks: list) -> Iterable[list]:
            with ProcessPoolExecutor(workers) as pool:
                return list(pool.map(job, tasks))

        return on_pool
    try:
        from dask.distributed import Client
    except ImportError:
        raise UserError(
            "--scheduler needs the package dask.distributed: .venv/bin/pip install distributed"
        ) from None
    try:
        client = Client(scheduler, timeout="10s")
    except (OSError, ValueError, TypeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"--scheduler {scheduler}: no Dask cluster answers ({reason})") from None

    def on_cluster(job: Callable, tasks: list) -> Iterable[list]:
        with client:
            return list(client.gather(client.map(job, tasks, pure=False)))

    return on_cluster


def front(points: Iterable[Point]) -> list[Point]:
    """Points than which no other is as good in cycles, multipliers and blocks, and better in one;
    the fastest first. Narrower weights lose quality, so each width has a front of its own."""
    chosen: list[Point] = []
    for one in sorted(points, key=lambda p: (p.weight_bits, p.cycles, p.multipliers, p.blocks)):
        if not any(
            other.weight_bits == one.weight_bits
            and other.multipliers <= one.multipliers
            and other.blocks <= one.blocks
            for other in chosen
        ):
            chosen.append(one)
    return sorted(chosen, key=lambda p: (-p.weight_bits, p.cycles))


def table(points: Sequence[Point]) -> str:
    names = (
        ("streams", 9),
        ("weights", 9),
        ("mult.", 7),
        ("blocks", 8),
        ("cycles", 10),
        ("useful", 9),
    )
    head = f"{'array':>8}" + "".join(f"{name:>{width}}" for name, width in names)
    lines = [
        f"{p.rows:>4} x {p.cols:<2}{p.streams:>8}{p.weight_bits:>7} b{p.multipliers:>7}"
        f"{p.blocks:>8}{p.cycles:>10,.0f}{100 * p.utilisation:>7.1f} %{p.tokens_per_second:>12,.0f}"
        for p in points
    ]
    return "\n".join([f"{head}{'tokens/s':>12}", *lines])


def plot(path: Path, title: str, points: Sequence[Point], best: Sequence[Point]) -> None:
    """Tokens per second against multipliers; the front as a line, blocks of RAM as colour."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    dots = axes.scatter(
        [p.multipliers for p in points],
        [p.tokens_per_second for p in points],
        c=[p.blocks for p in points],
        s=14,
        cmap="viridis",
    )
    ringed = [p for p in points if p in best]
    axes.scatter(
        [p.multipliers for p in ringed],
        [p.tokens_per_second for p in ringed],
        s=42,
        facecolors="none",
        edgecolors="#cc4125",
        label="Pareto front",
    )
    for p in best[:1]:
        axes.annotate(
            f"{p.rows} x {p.cols}" + (f", {p.streams} streams" if p.streams > 1 else ""),
            (p.multipliers, p.tokens_per_second),
            textcoords="offset points",
            xytext=(-8, 6),
            ha="right",
        )
    axes.set(xlabel="multipliers, all units", ylabel="tokens/s", title=title)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", frameon=False)
    figure.colorbar(dots, label="blocks of RAM")
    figure.savefig(path)


def arguments() -> argparse.Namespace:
    parser = cli.parser("export.explore", "All arrays that fit a device: speed, cost, the front.")
    parser.add_argument("--text", metavar="FILE", help="the text that the model was trained on")
    parser.add_argument("--device", default="ulx3s-85f", help=", ".join(devices.available()))
    parser.add_argument("--clock", type=float, default=100.0, metavar="MHZ", help="of the core")
    parser.add_argument(
        "--streams", dest="counts", metavar="N", help="such as 3 (default: 1,2,4,8 and config's)"
    )
    parser.add_argument("--weights", metavar="BITS", help="widths (default: 8,4,2 and config's)")
    parser.add_argument("--vocab", type=int, metavar="N", help="tokens, if nothing is trained yet")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster: use that")
    return parser.parse_args()


def weight_widths(text: str | None, config: schema.Config, vocab: int) -> list[int]:
    """The widths asked for; if none are, some, and the widest of the config's matrices."""
    if text is None:
        return sorted({*WIDTHS, spec.weight_width(blank(config, vocab))}, reverse=True)
    parts = text.split(",")
    if not all(part.isdecimal() and 2 <= int(part) <= 8 for part in parts):
        raise UserError(f"--weights {text}: give widths from 2 to 8 bits, such as 8,4")
    return sorted({int(part) for part in parts}, reverse=True)


def stream_counts(text: str | None, config: schema.Config) -> list[int]:
    """The numbers of streams asked for; if none are, some, and the config's."""
    if text is None:
        return sorted({*STREAMS, config.hardware.streams})
    parts = text.split(",")
    if not all(part.isdecimal() and 1 <= int(part) <= 8 for part in parts):
        raise UserError(f"--streams {text}: give numbers from 1 to 8, such as 1,4")
    return sorted({int(part) for part in parts})


def explore(
    config: schema.Config, args: argparse.Namespace, device: Device
) -> tuple[list[Point], Counter[str]]:
    """All machines that fit, and how many did not, by the reason."""
    vocab = cycles.vocabulary(config, args.vocab)
    cycles.machine(blank(config, vocab), config.hardware.rows, config.hardware.cols)  # can be built
    widths = weight_widths(args.weights, config, vocab)
    all_shapes = shapes(config, device, stream_counts(args.counts, config))
    # the slow ones, with many waves, first, and a mixture of them in each task
    all_shapes.sort(key=lambda shape: shape[0] * shape[1])
    count = -(-len(all_shapes) // CHUNK)
    tasks = [all_shapes[n::count] for n in range(count)]
    job = partial(evaluate, config, vocab, device, widths, args.clock)
    results = mapper(args.scheduler, args.workers)(partial(evaluate_all, job), tasks)
    found = [one for result in results for one in result]
    missing = Counter(one for one in found if isinstance(one, str))
    return [one for one in found if isinstance(one, Point)], missing


def main() -> None:
    args = arguments()
    if args.clock <= 0 or args.workers < 1:
        raise UserError(
            f"--clock {args.clock:g}, --workers {args.workers}: choose positive numbers"
        )
    config, device = cli.load_config(args), devices.load(args.device)
    points, missing = explore(config, args, device)
    rejected = ", ".join(f"{count} for {reason}" for reason, count in sorted(missing.items()))
    print(
        f"{config.name} on {device.name}: {device.multipliers} multipliers, {device.blocks} blocks "
        f"of {device.block_kbit} kbit; {args.clock:g} MHz assumed, the cycle model does not know it"
    )
    print(f"{len(points)} machines fit" + (f"; too large: {rejected}" if rejected else ""))
    if not points:
        vocab = cycles.vocabulary(config, args.vocab)
        bits = weight_widths(args.weights, config, vocab)[-1]
        least = too_large(config, vocab, device, bits, stream_counts(args.counts, config)[0])
        raise UserError(
            f"nothing fits {device.name}: {least}: take a smaller model or larger device"
        )
    best = front(points)
    print(
        f"\n{len(best)} on the fronts of each width (cycles, multipliers, blocks), fastest first:"
    )
    counts = Counter(p.weight_bits for p in best)
    for bits in counts:
        of_width = [p for p in best if p.weight_bits == bits]
        chosen = of_width[: SHOWN // len(counts)]
        print(table(chosen))
        if len(of_width) > len(chosen):
            print(f"... and {len(of_width) - len(chosen)} more of {bits} b")
    out = config.build_dir / "explore"
    out.mkdir(parents=True, exist_ok=True)
    contents: dict[str, Any] = {"config": config.name, "device": device.model_dump()}
    contents |= {"clock_mhz": args.clock, "too_large": dict(missing)}
    contents |= {"front": [asdict(p) for p in best], "points": [asdict(p) for p in points]}
    files.write_json(out / "explore.json", contents)
    plot(out / "explore.png", f"{config.name} on {device.name}, {args.clock:g} MHz", points, best)
    print(f"\nwritten     {out}")


if __name__ == "__main__":
    cli.run(main)
