"""The stages, each skipped when its result is there and was made from the same: netlist, floorplan
of a large array, one placed and routed design for every seed, bitstream."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from configs import files
from configs.boards import Board
from configs.cli import UserError
from export import rom_check
from export.synth import (
    copies,
    families,
    fit,
    floorplan,
    netlist,
    placed,
    slots,
    source,
    timing,
    tools,
    twins,
)

MILESTONES = re.compile(
    r"(?<=Executing )(?:SYNTH_\w+|MEMORY_LIBMAP|ABC9?)(?= pass)"
    r"|Creating initial analytic placement.*(?=, random)|Running simulated annealing.*"
    r"|Routing\.\.|Max frequency for clock.*"
)


# The clock that the router aims at first, of that of the estimate after placement and of the one
# that is asked for. What it cannot reach it tries without an end, and gets a lower aim.
AIM, ABOVE = 0.96, 1.015
LESS, AIMS = 0.99, 12


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
    manifest = json.loads((job.rtl / "manifest.json").read_text(encoding="utf-8"))
    blocks = fit.in_blocks(manifest, job.board.fpga, line=job.top == source.BOARD_TOP)
    script = families.synthesis(family, made.top, made.verilog, blocks)

    def make() -> dict[str, Any]:
        (made.folder / "synth.ys").write_text(script, encoding="utf-8")
        log = job.folder / "yosys.log"
        result = tools.run("yosys", ["synth.ys"], made.folder, log, job.tell, MILESTONES)
        if result.status:
            raise UserError(f"yosys: {tools.last_error(log)} (see {log})")
        if family in rom_check.FAMILIES and (
            problems := rom_check.check(made.folder / "netlist.json", job.rtl)
        ):
            raise UserError(f"synthesis lost the contents of a ROM: {problems[0]} (see {log})")
        design = netlist.load(made.folder / "netlist.json")
        top = netlist.top(design)
        folded = netlist.fold_output_registers(top) if family == "ecp5" else 0
        files.write_text(job.folder / "netlist.json", json.dumps(design))
        (made.folder / "netlist.json").unlink()
        cells = netlist.cells(top)
        use = families.use(family, cells)
        if (source.PRIMITIVES / family).is_dir():
            fit.check_netlist(manifest, job.board.fpga, use.multipliers)
        return {
            "cells": dict(sorted(cells.items())),
            "use": asdict(use),
            "folded_registers": folded,
            "cpu_seconds": round(result.cpu_seconds, 1),
            "memory_mib": round(result.memory_mib),
        }

    return _stage(job, "netlist", _key(source.digest(made), script, tools.version("yosys")), make)


def plan(job: Job, key: str) -> dict[str, Any]:
    """Places for the blocks of a large array, and copies of registers that reach far, in
    planned.json; `file`: the netlist to go on with."""
    tool, board = families.ROUTER[job.board.fpga.family], job.board

    def make() -> dict[str, Any]:
        design = netlist.load(job.folder / "netlist.json")
        top = netlist.top(design)
        if board.fpga.family != "ecp5" or not floorplan.is_large(top, board.fpga):
            return {"file": "netlist.json", "fixed": 0, "copies": 0}
        files.write_text(job.folder / "filler.json", json.dumps(floorplan.filler(board.fpga)))
        options = families.place(board, "filler.json", "sites.json")
        log = job.folder / "sites.log"
        if tools.run(tool, options, job.folder, log, job.tell, MILESTONES).status:
            raise UserError(f"{tool}: {tools.last_error(log)} (see {log})")
        sites = floorplan.sites(netlist.load(job.folder / "sites.json"))
        chosen, about = floorplan.plan(top, sites)
        count = copies.spread(top, about)
        floorplan.fix(top, chosen)
        files.write_text(job.folder / "planned.json", json.dumps(design))
        return {"file": "planned.json", "fixed": len(chosen), "copies": count}

    rules = _text(floorplan), _text(copies)
    return _stage(job, "floorplan", _key(key, rules, tools.version(tool)), make)


def _text(module: ModuleType) -> str:
    return Path(str(module.__file__)).read_text(encoding="utf-8")


def route(job: Job, made: source.Source, seed: int, planned: dict[str, Any]) -> dict[str, Any]:
    """nextpnr with one seed; a design that it cannot place or route is a result as well."""
    tool = families.ROUTER[job.board.fpga.family]
    assert made.constraints is not None
    constraints = f"{made.folder.name}/{made.constraints}"
    options = families.place_and_route(job.board, planned["file"], constraints, seed)
    by_hand = planned["fixed"] > 0
    placed_file = job.folder / f"placed-{seed}.json"

    tell = functools.partial(_tell, job, f"seed-{seed}: ")

    def run(
        arguments: list[str], log: Path, enough: Callable[[str], bool] | None = None
    ) -> tools.Result:
        return tools.run(tool, arguments, job.folder, log, tell, MILESTONES, enough)

    def make() -> dict[str, Any]:
        log, report = job.folder / f"route-{seed}.log", job.folder / f"report-{seed}.json"
        report.unlink(missing_ok=True)
        runs, found = [], {}
        if by_hand:
            log = job.folder / f"place-{seed}.log"
            place = families.place(job.board, planned["file"], placed_file.name)
            runs.append(run([*place, "--seed", str(seed), "--lpf", constraints], log))
            if not runs[0].status:
                relief, hz = relieve(placed_file, made.clock_hz)
                found = {"twins": asdict(relief)}
                log = job.folder / f"route-{seed}.log"
                words = [placed_file.name if word == planned["file"] else word for word in options]
                for left in reversed(range(AIMS)):
                    tell(f"routing with an aim of {hz / 1e6:.1f} MHz")
                    circle = families.Circle()
                    again = families.PLACED if left else families.ONCE
                    runs.append(run([*words, *again], log, circle.closed))
                    if not circle.closed():
                        break
                    hz *= LESS
                    aim(placed_file, hz)
        else:
            runs.append(run(options, log))
        placed_file.unlink(missing_ok=True)  # large
        cost = {"seed": seed, "cpu_seconds": round(sum(one.cpu_seconds for one in runs), 1)}
        cost |= {"memory_mib": round(max(one.memory_mib for one in runs))}
        if runs[-1].status or not report.is_file():
            return {"status": "unroutable", "why": tools.last_error(log)} | cost | found
        scopes = netlist.scopes(netlist.top(netlist.load(job.folder / planned["file"])))
        read = timing.read(report, scopes) | {"target_mhz": round(made.clock_hz / 1e6, 2)}
        return {"status": "routed"} | cost | found | read

    rules: list[object] = []
    if by_hand:
        rules = [_text(module) for module in (placed, slots, twins)] + [AIM, ABOVE, LESS, AIMS]
    key = _key(planned["key"], options, rules, tools.version(tool))
    return _stage(job, f"seed-{seed}", key, make)


def _tell(job: Job, who: str, line: str) -> None:
    job.tell(who + line)


def relieve(path: Path, hz: float) -> tuple[twins.Relief, float]:
    """Twins of registers in a placed netlist, in place; the clock to aim at."""
    design, relief = twins.best(lambda: netlist.load(path), twins.ENOUGH * 1e9 / hz)
    first = min(ABOVE * hz, AIM * 1e9 / relief.after)
    families.reopen(netlist.top(design), first)
    files.write_text(path, json.dumps(design))
    return relief, first


def aim(path: Path, hz: float) -> None:
    """Another clock to aim at, in a placed netlist."""
    design = netlist.load(path)
    families.reopen(netlist.top(design), hz)
    files.write_text(path, json.dumps(design))


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
        planned = result["floorplan"] = plan(job, synthesised["key"])
        with ThreadPoolExecutor(min(len(job.seeds), os.cpu_count() or 1)) as pool:
            runs = [pool.submit(route, job, made, seed, planned) for seed in job.seeds]
            result["seeds"] = [future.result() for future in runs]
    return result
