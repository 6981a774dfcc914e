"""Pictures: of a training loss.png and accuracy.png, attention.png of a prompt, pareto.png."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from configs.files import write_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Map(NamedTuple):
    """Probabilities (H, T, S): a row for each token that looks, a column for each one seen."""

    title: str
    probs: np.ndarray
    rows: list[str]
    columns: list[str]


def loss_curve(path: Path, records: list[dict], title: str) -> None:
    """Losses (nats per token) and learning rate over steps, written in one step."""
    from matplotlib.figure import Figure  # slow to import, and needed only here

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    steps = [record["step"] for record in records]
    for key, label in (("train_loss", "training"), ("validation_loss", "validation")):
        axes.plot(steps, [record[key] for record in records], ".-", label=label)
    axes.set(title=title, xlabel="step", ylabel="loss (nats per token)")
    axes.grid(alpha=0.3)
    rate = axes.twinx()
    rates = [record["learning_rate"] for record in records]
    rate.plot(steps, rates, ":", color="grey", label="learning rate")
    rate.set(ylabel="learning rate", ylim=(0, None))
    lines = [*axes.lines, *rate.lines]
    axes.legend(lines, [str(line.get_label()) for line in lines])
    _write(figure, path)


def accuracy(path: Path, counts: dict[str, tuple[int, int]], title: str) -> None:
    """Bars of the exact answers per operation; counts: operation -> (right, all)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 0.6 + 0.4 * len(counts)), layout="constrained")
    axes = figure.add_subplot()
    parts = [100 * right / count for right, count in counts.values()]
    bars = axes.barh(list(counts), parts, color="tab:blue")
    axes.bar_label(bars, [f"{part:.1f} %" for part in parts], padding=4)
    axes.set(title=title, xlim=(0, 115), xlabel="exact answers to unseen questions (%)")
    axes.invert_yaxis()
    _write(figure, path)


def attention(path: Path, maps: list[Map], title: str) -> None:
    """A row of the picture for each map, a column for each head."""
    from matplotlib.figure import Figure

    columns = len(maps[0].probs)
    size = 1.5 + 0.07 * max(len(one.columns) for one in maps)  # inches
    figure = Figure(figsize=(size * columns, size * len(maps) + 0.5), layout="constrained")
    figure.suptitle(title)
    for row, one in enumerate(maps):
        for head, probs in enumerate(one.probs):
            axes = figure.add_subplot(len(maps), columns, row * columns + head + 1)
            axes.imshow(probs, cmap="Blues", vmin=0, vmax=1)
            axes.set_title(f"{one.title}, head {head}", fontsize=8)
            ticks: dict[str, Any] = {"fontsize": 5, "parse_math": False}
            axes.set_xticks(range(len(one.columns)), one.columns, rotation=90, **ticks)
            axes.set_yticks(range(len(one.rows)), one.rows, **ticks)
    _write(figure, path)


def pareto(path: Path, lines: dict[str, list[tuple[float, float]]], title: str) -> None:
    """KL over weight bits; lines: label -> points (kbit, KL in nats); up to four."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    for (label, points), style in zip(lines.items(), ("-", "+", "o", "*"), strict=False):
        shown = [(kbit, kl) for kbit, kl in points if kl > 0]  # the axis is logarithmic
        axes.plot([kbit for kbit, _ in shown], [kl for _, kl in shown], style, label=label)
    axes.set(title=title, xlabel="weights (kbit)", ylabel="KL(float, integer) (nats)", yscale="log")
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    _write(figure, path)


def _write(figure: Figure, path: Path) -> None:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    write_bytes(path, buffer.getvalue())
