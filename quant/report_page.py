"""report.html: the numbers of report.json as one page that needs nothing else to be read.

Inline style and SVG, no script and no address; `quant/templates/report.html.j2` holds the page.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).parent / "templates"
TOP = 12  # parts in the chart
HEIGHT = 40  # of a histogram, in units of its view box; a bin is 4 wide
BIN = 4

SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

PARTS = {  # the last part of a name: what it is
    "embed": "token and position, looked up and added",
    "attn_norm": "1/rms of what attention reads, from a table",
    "q": "queries",
    "k": "keys, kept in the cache",
    "v": "values, kept in the cache",
    "attn_scores": "query times key, in octaves",
    "attn_probs": "softmax before its division",
    "attn_recip": "sum of the softmax, inverted by a table",
    "attn_out": "values, mixed by attention",
    "attn_residual": "residual stream after attention",
    "ffn_norm": "1/rms of what the FFN reads, from a table",
    "ffn_gate": "gate of the FFN, activated",
    "ffn_up": "what the gate lets through",
    "ffn_hidden": "hidden layer of the FFN, activated",
    "ffn_residual": "residual stream after the FFN",
    "final_norm": "1/rms of the last residual, from a table",
    "logits": "scores of all next tokens",
    "q.weight": "matrix to the queries, and its bias",
    "k.weight": "matrix to the keys, and its bias",
    "v.weight": "matrix to the values, and its bias",
    "o.weight": "matrix out of attention, and its bias",
    "up.weight": "matrix into the FFN, and its bias",
    "gate.weight": "matrix to the FFN's gate, and its bias",
    "down.weight": "matrix out of the FFN, and its bias",
    "head.weight": "matrix to the logits",
    "embed_tok": "table of tokens",
    "embed_pos": "table of positions",
}


def render(result: dict[str, Any]) -> str:
    """The page of what `quant.pipeline.report` returned; deterministic."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "sig": significant,
        "micro": micro,
        "error": lambda value: significant(value * 1e6, 2),
        "percent": percent,
        "db": decibels,
    }
    parts = sorted([*result["stages"], *result["tensors"]], key=lambda row: -row["kl"])
    return environment.get_template("report.html.j2").render(
        result=result,
        sample=result["sample"],
        verdicts=verdicts(result),
        settings=settings(result),
        top=bars(parts[:TOP], parts),
        rest=len(parts) - TOP,
        layers=layers(parts),
        tables=[
            ("Stages", "What the machine computes for each token", rows(result["stages"])),
            ("Tensors", "What it has learned, in its ROMs", rows(result["tensors"])),
        ],
    )


def significant(value: float | None, digits: int = 3) -> str:
    """`digits` significant digits; with a power of ten where zeros would hide them."""
    if value is None:
        return "–"
    if value == 0 or 1e-3 <= abs(value) < 10**digits:
        text = f"{value:.{digits}g}"
    elif 10**digits <= abs(value) < 1e6:
        text = f"{value:,.0f}"
    else:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        text = f"{mantissa}·10{str(int(exponent)).translate(SUPERSCRIPT)}"
    return text.replace("-", "−")


def micro(value: float | None) -> str:
    """In millionths."""
    return "–" if value is None else significant(value * 1e6)


def percent(value: float | None) -> str:
    return "–" if value is None else f"{significant(100 * value)} %"


def decibels(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}".replace("-", "−")


def describe(name: str) -> str:
    """What the stage or tensor of that name is; empty when not known."""
    match = re.search(r"(cross_)?(\w+(?:\.weight)?)$", name)
    cross, part = match.groups() if match else (None, name)
    what = PARTS.get(part) or PARTS.get(f"attn_{part}", "")
    where = " (cross-attention)" if cross else " (encoder)" if name.startswith("encoder.") else ""
    return what and what + where


def settings(result: dict[str, Any]) -> list[tuple[str, str]]:
    """The section [quant], and what follows from it."""
    plain = {key: value for key, value in result["quant"].items() if key != "bits"}
    shown = [(key.replace("_", " "), str(value)) for key, value in plain.items()]
    shown.append(("accumulator bits", str(result["accumulator_bits"])))
    overrides = result["quant"].get("bits", {})
    return shown + [(f"bits of {name}", str(bits)) for name, bits in overrides.items()]


def verdicts(result: dict[str, Any]) -> list[tuple[str, str, list[str]]]:
    """(row, what it means, cells) of the table whose columns are float, PTQ and, if done, QAT."""
    measured = [result["ptq"], result] if "ptq" in result else [result]
    models = [one["score"] for one in measured]

    def each(cell: Any) -> list[str]:
        return [cell(model) for model in models]

    def spread(model: dict[str, Any], key: str, scale: float = 1.0, places: int = 5) -> str:
        value, error = model[key] * scale, model[key + "_se"]
        if 0 < abs(value) < 10**-places:
            return significant(value, 2) + ("" if error is None else f" ± {significant(error, 2)}")
        text = f"{value:.{places}f}".replace("-", "−")
        return text if error is None else f"{text} ± {error * scale:.{places}f}"

    first = models[0]
    table = [
        (
            "loss",
            "nats per token: how surprised the model is by the text, less is better",
            [f"{first['float_loss']:.5f}", *each(lambda m: f"{m['integer_loss']:.5f}")],
        ),
        (
            "loss increase",
            "against float on the same tokens, with the standard error of the difference",
            ["0", *each(lambda m: spread(m, "loss_increase"))],
        ),
        (
            "same favourite",
            "how often float and integers find the same token likeliest, in %",
            ["100", *each(lambda m: spread(m, "same_argmax", 100, 2))],
        ),
        (
            "KL divergence",
            "nats per token between what both expect next; 0 means the same expectations",
            ["0", *each(lambda m: spread(m, "kl", places=6))],
        ),
    ]
    if answers := result.get("exact_answers"):
        counts = [answers["float"], *(one["exact_answers"]["integer"] for one in measured)]
        cells = [f"{count} of {answers['questions']}" for count in counts]
        table.append(("exact answers", "held-out questions answered without a mistake", cells))
    return table


def bars(chosen: list[dict[str, Any]], parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of each part its share of the sum, and the width of its bar in % of the longest."""
    total = sum(row["kl"] for row in parts) or 1.0
    longest = max((row["kl"] for row in parts), default=0.0) or 1.0
    return [
        {
            "name": row["name"],
            "what": describe(row["name"]),
            "kl": row["kl"],
            "share": row["kl"] / total,
            "width": round(100 * row["kl"] / longest, 2),
        }
        for row in chosen
    ]


def layers(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """KL by layer, of its tensors and of its stages; the last row is what is outside layers."""

    def order(name: str) -> tuple[bool, int]:
        return not name.startswith("encoder"), int(name.rpartition(".")[2])

    names = sorted({row["layer"] for row in parts if row["layer"] is not None}, key=order)
    result = []
    for name in [*names, None]:
        own = [row for row in parts if row["layer"] == name]
        result.append(
            {
                "name": name or "embedding, last norm and head",
                "tensors": sum(row["kl"] for row in own if "shape" in row),
                "stages": sum(row["kl"] for row in own if "shape" not in row),
            }
        )
    return result


def rows(measured: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of a table: what was measured, and its drawing."""
    return [
        {**row, "what": describe(row["name"]), "picture": drawing(row["histogram"])}
        for row in measured
    ]


def drawing(histogram: dict[str, Any]) -> dict[str, Any]:
    """Path and marks of a histogram, in a view box of `width` x HEIGHT.

    The square root of a count is its height, so that rare values show. An end of the format that
    lies outside has its mark at the edge, `beyond`.
    """
    counts = histogram["counts"]
    width, top = BIN * len(counts), max(counts) ** 0.5 or 1.0
    path = [f"M0 {HEIGHT}"]
    for count in counts:
        height = count**0.5 / top * (HEIGHT - 2)
        path.append(f"V{round(HEIGHT - (max(height, 0.8) if count else 0), 1):g}h{BIN}")
    low, high = histogram["low"], histogram["high"]
    marks = []
    for end in histogram["ends"] or []:
        x = (end - low) / (high - low) * width
        marks.append({"x": round(min(max(x, 1), width - 1), 1), "beyond": not -1 <= x <= width + 1})
    return {
        "width": width,
        "height": HEIGHT,
        "path": "".join(path) + f"V{HEIGHT}z",
        "marks": marks,
        "low": low,
        "high": high,
    }
