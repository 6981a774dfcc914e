"""Pictures: loss.png and accuracy.png of a training, attention.png of a prompt."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from configs.files import write_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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


def attention(path: Path, maps: list[np.ndarray], names: list[str], title: str) -> None:
    """A map for each layer (row of the picture) and head (column); maps: (H, T, T) per layer."""
    from matplotlib.figure import Figure

    rows, columns = len(maps), len(maps[0])
    size = 1.5 + 0.07 * len(names)  # inches
    figure = Figure(figsize=(size * columns, size * rows + 0.5), layout="constrained")
    figure.suptitle(title)
    for layer, heads in enumerate(maps):
        for head, probs in enumerate(heads):
            axes = figure.add_subplot(rows, columns, layer * columns + head + 1)
            axes.imshow(probs, cmap="Blues", vmin=0, vmax=1)
            axes.set_title(f"layer {layer}, head {head}", fontsize=8)
            axes.set_xticks(range(len(names)), names, fontsize=5, rotation=90, parse_math=False)
            axes.set_yticks(range(len(names)), names, fontsize=5, parse_math=False)
    _write(figure, path)


def _write(figure: Figure, path: Path) -> None:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    write_bytes(path, buffer.getvalue())
