"""What the search found, as text: the table of the front, and the section for the config."""

from __future__ import annotations

import json
from typing import Any

from configs.devices import KBIT
from quant.front import Point, thinned

ROWS = 12  # of the printed front


def toml(result: dict[str, Any]) -> str:
    """The section `[quant.bits]`."""
    rows = [f"{json.dumps(name)} = {bits}" for name, bits in result["quant_bits"].items()]
    return "\n".join(["[quant.bits]", *rows, ""])


def describe(result: dict[str, Any]) -> str:
    """The front, one width for all beside it, and what the chosen widths are worth."""
    count, device = sum(result["matrices"].values()), result["budget"]["device"]
    points = [Point(tuple(r["widths"]), r["bits"], r["predicted_kl"]) for r in result["front"]]
    shown = {point.widths for point in thinned(points, ROWS)}
    parts = [name.removesuffix(".weight") for name in result["matrices"]]
    order = " ".join(dict.fromkeys(name.rpartition(".")[2] for name in parts))
    head = f"{'kbit':>8} {'bits':>5} {'blocks':>6} {'predicted':>9}"
    lines = [
        f"{count:,} weights in {len(parts)} matrices; embeddings, not counted: "
        f"{result['embedding_bits'] / KBIT:.0f} kbit; KL in nats on {result['tokens']} tokens of "
        "training text",
        f"{head}           widths, layer by layer: {order}",
    ]
    for row in result["front"]:
        if tuple(row["widths"]) in shown | {tuple(result["chosen"]["widths"])}:
            mark = " <- chosen" if row["widths"] == result["chosen"]["widths"] else ""
            lines.append(f"{_cells(row, count)} {'':9} {_digits(parts, row['widths'])}{mark}")
    lines += ["one width for all", f"{head}  measured"]
    lines += [f"{_cells(row, count)} {row['measured_kl']:9.5f}" for row in result["uniform"]]
    chosen, score = result["chosen"], result["held_out"]["score"]
    lines += [
        "",
        f"chosen: {chosen['bits'] / KBIT:.1f} kbit, {chosen['bits'] / count:.2f} bits per weight",
        f"KL, training text: predicted {chosen['predicted_kl']:.5f}, golden model "
        f"{chosen['measured_kl']:.5f} nats",
        f"KL, held-out text: golden model {score['kl']:.5f} nats",
        f"loss, held-out:    {score['loss_increase']:+.5f}; same argmax {score['same_argmax']:.2%}",
    ]
    if chosen["blocks"] is not None:
        lines.append(
            f"blocks of {device['block_kbit']} kbit: {chosen['blocks']} for weights, embeddings "
            "and KV cache; in its ROM a weight takes as many bits as the widest one"
        )
    return "\n".join([*lines, "", toml(result)])


def _cells(row: dict[str, Any], count: int) -> str:
    blocks = "-" if row["blocks"] is None else row["blocks"]
    mean = row["bits"] / count
    return f"{row['bits'] / KBIT:8.1f} {mean:5.2f} {blocks:>6} {row['predicted_kl']:9.5f}"


def _digits(parts: list[str], widths: list[int]) -> str:
    """One digit for each matrix, a group for each layer."""
    groups: dict[str, str] = {}
    for name, bits in zip(parts, widths, strict=True):
        layer = name.rpartition(".")[0]
        groups[layer] = groups.get(layer, "") + str(bits)
    return " ".join(groups.values())
