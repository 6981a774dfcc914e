"""What benchmarks share: figures with their spread, the machine they hold for, tables in docs."""

from __future__ import annotations

import json
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

from configs import files, schema
from configs.cli import UserError

ROOT = schema.BUILD_DIR.parent
DOCS = ROOT / "docs" / "benchmarks.md"


def figure(values: Sequence[float], unit: str, how: str) -> dict:
    """One measured figure: median, n, range, unit, and the command that gave it."""
    low, middle, high = min(values), median(values), max(values)
    return {"median": middle, "min": low, "max": high, "n": len(values), "unit": unit, "how": how}


def run(module: str, *options: str) -> tuple[str, float, float]:
    """Output, wall seconds and CPU seconds of `python -m module options`; raises UserError."""
    command = [sys.executable, "-m", module, *options]
    before, start = _children(), time.perf_counter()
    env = {"COCOTB_RANDOM_SEED": "1"} | os.environ
    done = subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, text=True, errors="replace"
    )
    wall, cpu = time.perf_counter() - start, _children() - before
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        reason = lines[-1] if lines else "no message"
        command_line = " ".join(["python -m", module, *options])
        raise UserError(f"'{command_line}' failed: {reason.removeprefix('error: ')}")
    return done.stdout, wall, cpu


def _children() -> float:
    """CPU seconds of all processes that this one has waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def toml(config: schema.Config) -> str:
    """The config as a TOML file."""
    lines = []
    for section, values in config.model_dump(exclude={"name"}, exclude_none=True).items():
        lines += [f"[{section}]", *(f"{key} = {json.dumps(v)}" for key, v in values.items()), ""]
    return "\n".join(lines)


# -- where it was measured ---------------------------------------------------------------------
def host() -> dict:
    """Processor, cores that this process may use, memory, system, load."""
    info = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*: (.*)", info.read_text()) if info.is_file() else []
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": names[0] if names else platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory, 1),
        "system": f"{platform.system()} {platform.machine()}",
    }


def versions(packages: Sequence[str], programs: dict[str, list[str]] | None = None) -> dict:
    """Of Python, of those `packages` that are there, and of programs by the command that tells."""
    result = {"python": platform.python_version()}
    for name in packages:
        try:
            result[name] = version(name)
        except PackageNotFoundError:
            continue
    for name, command in (programs or {}).items():
        if shutil.which(command[0]):
            text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
            found = re.search(r"\d+\.\d[\w.]*", text)
            result[name] = found[0] if found else "unknown"
    return result


def load() -> float:
    """Processes that want to run, averaged over a minute."""
    return os.getloadavg()[0]


def about(module: str, load_before: float, seed: int, versions: dict) -> dict:
    """What every result begins with: the command, where it ran, and beside how much else."""
    return {
        "version": 1,
        "command": f"python -m {module} " + " ".join(sys.argv[1:]),
        "seed": seed,
        "host": host() | {"load_before": load_before, "load_after": load()},
        "versions": versions,
    }


# -- tables ------------------------------------------------------------------------------------
def number(value: float) -> str:
    """Three or more significant digits, thousands separated."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def row(*cells: object) -> str:
    """A row of a Markdown table."""
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def provenance(result: dict) -> str:
    """Command, machine, load and versions of a result, as a sentence."""
    machine = result["host"]
    return (
        f"`{result['command']}`, training seed {result['seed']}, on {machine['cores']} cores of "
        f"{machine['processor']}, {machine['memory_gib']} GiB; load average "
        f"{machine['load_before']:.1f} before, {machine['load_after']:.1f} after. "
        + ", ".join(f"{name} {value}" for name, value in result["versions"].items())
        + "."
    )


def write_docs(name: str, text: str) -> None:
    """Put `text` into docs/benchmarks.md, between the markers of `name`."""
    files.write_text(DOCS, updated(DOCS.read_text(), name, text))
    print(f"updated    {os.path.relpath(DOCS)}")


def updated(document: str, name: str, text: str) -> str:
    """`document` with `text` between the markers of `name`; the markers are added at the end if
    they are not there."""
    begin, end = f"<!-- bench: {name} -->", f"<!-- end: {name} -->"
    section = f"{begin}\n{text.strip()}\n{end}"
    before, found, rest = document.partition(begin)
    if not found:
        return f"{document.rstrip()}\n\n## {name}\n\n{section}\n"
    _, found, after = rest.partition(end)
    if not found:
        raise UserError(f"docs/benchmarks.md: '{begin}' has no '{end}': restore it")
    return f"{before}{section}{after}"
