"""The stages, each skipped when its result is there and was made from the same: netlist, one
placed and routed design for every seed, bitstream."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from configs import files
from configs.boards import Board
from configs.cli import UserError
from export import rom_check
from export.synth import families, netlist, source, timing, tools

MILESTONES = re.compile(
    r"(?<=Executing )(?:SYNTH_\w+|MEMORY_LIBMAP|ABC9?)(?= pass)"
    r"|Creating initial analytic placement.*(?=, random)|Running simulated annealing.*"
    r"|Routing\.\.|Max frequency for clock.*"
)


@dataclass(frozen=True)
class Job:
    """One machine for one board."""

    rtl: Path
    board: Board
    folder: Path
    seeds: tuple[int, ...]
    tell: Callable[[str], None]
    top: str = source.BOARD_TOP


def _stage(job: Job, name: str, key: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `make` says of the stage, or what it said when it last ran with the same `key`."""
    record = job.folder / f"{name}.stage.json"
    if record.is_file():
        kept = json.loads(record.read_text(encoding="utf-8"))
        if kept["key"] == key:
            job.tell(f"{name}: kept, {kept['seconds']:.0f} s then")
            return kept
    record.unlink(missing_ok=True)
    job.tell(f"{name}: begins")
    begin = time.monotonic()
    result = make() | {"key": key, "seconds": round(time.monotonic() - begin, 1)}
    files.write_json(record, result)
    job.tell(f"{name}: {result['seconds']:.0f} s")
    return result


def _key(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def synthesise(job: Job, made: source.Source) -> dict[str, Any]:
    """Yosys, and the registers of block RAM put into the blocks."""
    family = job.board.fpga.family
    script = families.synthesis(family, made.top, made.verilog)

    def make() -> dict[str, Any]:
        (made.folder / "synth.ys").write_text(script, encoding="utf-8")
        log = job.folder / "yosys.log"
        result = tools.run("yosys", ["synth.ys"], made.folder, log, job.tell, MILESTONES)
        if result.status:
            raise UserError(f"yosys: {tools.last_error(log)} (see {log})")
        if family == "ecp5" and (
            problems := rom_check.check(made.folder / "netlist.json", job.rtl)
        ):
            raise UserError(f"synthesis lost the contents of a ROM: {problems[0]} (see {log})")
        design = netlist.load(made.folder / "netlist.json")
        top = netlist.top(design)
        folded = netlist.fold_output_registers(top) if family == "ecp5" else 0
        files.write_text(job.folder / "netlist.json", json.dumps(design))
        (made.folder / "netlist.json").unlink()
        cells = netlist.cells(top)
        return {
            "cells": dict(sorted(cells.items())),
            "use": asdict(families.use(family, cells)),
            "folded_registers": folded,
            "cpu_seconds": round(result.cpu_seconds, 1),
            "memory_mib": round(result.memory_mib),
        }

    return _stage(job, "netlist", _key(source.digest(made), script, tools.version("yosys")), make)


def route(job: Job, made: source.Source, seed: int, key: str) -> dict[str, Any]:
    """nextpnr with one seed; a design that it cannot place or route is a result as well."""
    tool = families.ROUTER[job.board.fpga.family]
    assert made.constraints is not None
    options = families.place_and_route(
        job.board, "netlist.json", f"{made.folder.name}/{made.constraints}", seed
    )

    def tell(line: str) -> None:
        job.tell(f"seed-{seed}: {line}")

    def make() -> dict[str, Any]:
        log, report = job.folder / f"route-{seed}.log", job.folder / f"report-{seed}.json"
        report.unlink(missing_ok=True)
        result = tools.run(tool, options, job.folder, log, tell, MILESTONES)
        cost = {"seed": seed, "cpu_seconds": round(result.cpu_seconds, 1)}
        cost |= {"memory_mib": round(result.memory_mib)}
        if result.status or not report.is_file():
            return {"status": "unroutable", "why": tools.last_error(log)} | cost
        scopes = netlist.scopes(netlist.top(netlist.load(job.folder / "netlist.json")))
        return {"status": "routed"} | cost | timing.read(report, scopes)

    return _stage(job, f"seed-{seed}", _key(key, options, tools.version(tool)), make)


def bitstream(job: Job, best: dict[str, Any]) -> Path:
    """The bitstream of the best seed."""
    family = job.board.fpga.family
    tool, name = families.PACKER[family], "fixformer.bit"

    def make() -> dict[str, Any]:
        log = job.folder / "bitstream.log"
        options = families.pack(family, best["seed"], name)
        result = tools.run(tool, options, job.folder, log, job.tell)
        if result.status:
            raise UserError(f"{tool}: {tools.last_error(log)} (see {log})")
        return {"bytes": (job.folder / name).stat().st_size}

    if not (job.folder / name).is_file():
        (job.folder / "bitstream.stage.json").unlink(missing_ok=True)
    _stage(job, "bitstream", _key(best["key"], tools.version(tool)), make)
    return job.folder / name


def run(job: Job) -> dict[str, Any]:
    """Source, netlist and all seeds, two at a time; what each stage says of itself."""
    job.folder.mkdir(parents=True, exist_ok=True)
    family = job.board.fpga.family
    for tool in ["yosys", *([families.ROUTER[family]] if family in families.ROUTER else [])]:
        tools.program(tool)
    made = source.write(job.rtl, job.board, job.folder / "source", job.top)
    synthesised = synthesise(job, made)
    result: dict[str, Any] = {"top": made.top, "clock_hz": made.clock_hz}
    result |= {"netlist": synthesised, "seeds": []}
    if family in families.ROUTER:
        with ThreadPoolExecutor(min(len(job.seeds), os.cpu_count() or 1)) as pool:
            runs = [pool.submit(route, job, made, seed, synthesised["key"]) for seed in job.seeds]
            result["seeds"] = [future.result() for future in runs]
    return result
