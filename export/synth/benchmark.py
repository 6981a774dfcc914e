"""`python -m export.synth.benchmark`: the large place-and-route runs, and the section of the docs.

Every run is `python -m export.synth`, which keeps what it made; `--collect` takes the reports that
are there and runs nothing. All seeds are told, the best counts.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs import cli, files, measure, schema
from configs.cli import UserError
from configs.schema import BUILD_DIR
from export.synth.__main__ import named

SEEDS = 3


@dataclass(frozen=True)
class Run:
    """One config on one board."""

    config: str
    board: str
    array: str | None = None  # instead of the config's
    streams: int | None = None  # the same
    top: str = "board"
    freq: float | None = None

    @property
    def report(self) -> Path:
        name = named(self.board, self.top, self.array, self.streams)
        return schema.load(self.config).build_dir / "synth" / name / "report.json"

    def words(self, seeds: int) -> list[str]:
        words = ["--config", self.config, "--board", self.board, "--seeds", str(seeds)]
        words += ["--top", self.top]
        words += [] if self.array is None else ["--array", self.array]
        words += [] if self.streams is None else ["--streams", str(self.streams)]
        return words + ([] if self.freq is None else ["--freq", f"{self.freq:g}"])


RUNS = (
    Run("stories", "ulx3s-85f"),
    Run("stories", "ulx3s-85f", top="core"),
    Run("stories", "ulx3s-85f", top="core", streams=2),
    Run("microgpt", "ulx3s-85f", top="core", array="8x16"),
    Run("microgpt", "ulx3s-85f", top="core", array="8x16", streams=6),
    Run("stories", "arty-a7-100t"),
    Run("tiny", "tangnano20k"),
    Run("up5k", "icebreaker", top="core"),
)


def measured(run: Run, seeds: int) -> dict[str, Any]:
    """The report of a run; a clock that is not reached is a result as well."""
    command = [sys.executable, "-m", "export.synth", *run.words(seeds)]
    print("$ python " + " ".join(command[1:]), flush=True)
    status = subprocess.run(command, check=False).returncode
    if status not in (0, 1):
        raise UserError(f"'{' '.join(command[1:])}' failed with status {status}")
    return json.loads(run.report.read_text(encoding="utf-8"))


def collected() -> list[dict[str, Any]]:
    """The reports that are there."""
    return [
        json.loads(run.report.read_text(encoding="utf-8")) for run in RUNS if run.report.is_file()
    ]


def _clocks(report: dict[str, Any]) -> str:
    told = [
        f"{seed['fmax_mhz']:.1f}" if seed["status"] == "routed" else seed["status"]
        for seed in report["seeds"]
    ]
    return ", ".join(told) or "resources only"


def markdown(reports: list[dict[str, Any]], about: dict[str, Any]) -> str:
    """The section."""
    head = ("config", "board", "top", "array", "streams", "LUT", "FF", "multipliers", "block RAM")
    timing = ("MHz of each seed, 1 first", "cycles per token", "tokens/s", "CPU s, MiB")
    lines = [measure.provenance(about), "", measure.row(*head, *timing)]
    lines.append(measure.row("---", "---", "---", "---", *["---:"] * 9))
    for report in reports:
        use, there = report["use"], report["available"]
        speed = report["tokens_per_second"]
        runs = [report["netlist"], *report["seeds"]]
        cpu = " + ".join(f"{run['cpu_seconds']:.0f}" for run in runs)
        lines.append(
            measure.row(
                report["config"],
                report["board"],
                report["top"],
                f"{report['array']['rows']} x {report['array']['cols']}",
                str(report["streams"]),
                f"{use['luts']:,} of {there['luts']:,}",
                f"{use['flip_flops']:,}",
                f"{use['multipliers']} of {there['multipliers']}",
                f"{use['blocks']:g} of {there['blocks']}",
                _clocks(report),
                f"{report['cycles_per_token']:,}",
                f"{speed:,}" if speed else "-",
                f"{cpu}, {max(run['memory_mib'] for run in runs)}",
            )
        )
    for report in reports:
        best = [seed for seed in report["seeds"] if seed["seed"] == report["best_seed"]]
        if best and best[0]["critical_path"]:
            path = best[0]["critical_path"]
            lines += [
                "",
                f"Critical path of {report['config']} on {report['board']}, seed "
                f"{report['best_seed']}: {path['delay']} ns, of it {path['routing']} ns routing, "
                f"from `{path['start']}` to `{path['end']}`.",
            ]
    return "\n".join([*lines, ""])


def arguments() -> argparse.Namespace:
    parser = cli.parser(
        "export.synth.benchmark", "Place and route the large machines.", config=False
    )
    parser.add_argument("--seeds", type=int, default=SEEDS, help="seeds of every run")
    parser.add_argument("--only", help="a config of the list, instead of all")
    parser.add_argument("--collect", action="store_true", help="run nothing, take what is there")
    parser.add_argument("--write-docs", action="store_true", help="write docs/benchmarks.md")
    return parser.parse_args()


def main() -> None:
    args, load = arguments(), measure.load()
    chosen = [run for run in RUNS if args.only in (None, run.config)]
    if not chosen:
        raise UserError(f"--only {args.only}: choose of {', '.join(run.config for run in RUNS)}")
    reports = collected() if args.collect else [measured(run, args.seeds) for run in chosen]
    if not reports:
        raise UserError("no report is there: run without --collect")
    wheels: dict[str, str] = {}
    for report in reports:
        wheels |= report["tools"]
    about = measure.about("export.synth.benchmark", load, 1, wheels)
    text = markdown(reports, about)
    print(text)
    files.write_json(BUILD_DIR / "bench" / "fpga.json", about | {"reports": reports})
    if args.write_docs:
        measure.write_docs("fpga", text)


if __name__ == "__main__":
    cli.run(main)
