"""The picture of a training: loss.png."""

from __future__ import annotations

import io
from pathlib import Path

from configs.files import write_bytes


def loss_curve(path: Path, records: list[dict], title: str) -> None:
    """Training and validation loss (nats per token) over steps, written in one step."""
    from matplotlib.figure import Figure  # slow to import, and needed only here

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    steps = [record["step"] for record in records]
    for key, label in (("train_loss", "training"), ("validation_loss", "validation")):
        axes.plot(steps, [record[key] for record in records], ".-", label=label)
    axes.set(title=title, xlabel="step", ylabel="loss (nats per token)")
    axes.grid(alpha=0.3)
    axes.legend()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    write_bytes(path, buffer.getvalue())
