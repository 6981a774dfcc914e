"""The picture of a training: loss.png."""

from __future__ import annotations

import io
from pathlib import Path

from configs.files import write_bytes


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
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    write_bytes(path, buffer.getvalue())
