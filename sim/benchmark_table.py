"""The result of `sim.benchmark` for people, as Markdown."""

from __future__ import annotations

from configs.measure import number, provenance, row


def markdown(result: dict) -> str:
    """The whole result as a section."""
    lines = [
        provenance(result),
        "",
        row("figure", "median", "min .. max", "n", "unit", "measured by"),
        row("---", "---:", "---:", "---:", "---", "---"),
    ]
    for name, f in result["figures"].items():
        span = f"{number(f['min'])} .. {number(f['max'])}"
        lines.append(row(name, number(f["median"]), span, f["n"], f["unit"], f"`{f['how']}`"))
    lines += [*cycle_lines(result["machine"]), *compared_lines(result["figures"])]
    return "\n".join([*lines, *quality_lines(result["quality"]), ""])


def cycle_lines(m: dict) -> list[str]:
    """Cycles, floor and utilisation."""
    if not m:
        return []
    by_position = {int(key): value for key, value in m["by_position"].items()}
    first, last = min(by_position), max(by_position)
    shown = sorted({first, (first + last) // 2, last})
    places = ", ".join(f"{by_position[p]:,} at position {p}" for p in shown)
    return [
        "",
        row("cycles per token", "floor", "times the floor", "utilisation", "multipliers"),
        row("---:", "---:", "---:", "---:", "---:"),
        row(
            number(m["cycles_per_token"]),
            number(m["floor"]),
            f"{m['times_floor']:.3f}",
            f"{100 * m['utilisation']:.1f} %",
            f"{m['rows']} x {m['cols']} = {m['multipliers']}",
        ),
        "",
        f"Mean over {m['tokens']} sampled tokens of one stream (positions {first} to {last}): "
        f"{places}.",
    ]


def compared_lines(figures: dict) -> list[str]:
    """What the simulations compared."""
    found = [f for f in figures.values() if "compared" in f]
    lines = [
        f"- {f['simulator']}: {f['compared']['tokens']} tokens, {f['compared']['tensors']:,} "
        f"tensors, {f['compared']['elements']:,} elements compared, "
        f"{f['compared']['mismatches']} mismatches"
        for f in found
    ]
    return ["", *lines] if lines else []


def quality_lines(quality: dict) -> list[str]:
    """What the integers lose, per config."""
    if not quality:
        return []
    head = (
        "config",
        "float loss",
        "integer loss",
        "increase",
        "same argmax",
        "KL",
        "exact answers",
    )
    lines = ["", row(*head), row("---", *["---:"] * (len(head) - 1))]
    for name, report in quality.items():
        s, exact = report["score"], report.get("exact_answers")
        answers = "-"
        if exact:
            answers = f"float {exact['float']}, integer {exact['integer']} of {exact['questions']}"
        lines.append(
            row(
                name,
                f"{s['float_loss']:.5f}",
                f"{s['integer_loss']:.5f}",
                f"{s['loss_increase']:+.5f} ± {s['loss_increase_se'] or 0:.5f}",
                f"{100 * s['same_argmax']:.2f} %",
                f"{s['kl']:.6f}",
                answers,
            )
        )
    return [*lines, "", "Losses in nats per token of held-out text."]
