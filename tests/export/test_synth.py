"""Synthesis for boards: sums that refuse, the netlist's edit, the report, a real bitstream."""

from __future__ import annotations

import copy
import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from configs import boards, devices, measure, schema
from configs.boards import Board
from configs.cli import UserError
from configs.schema import ConfigError
from export.synth import (
    benchmark,
    estimate,
    families,
    fit,
    floorplan,
    flow,
    netlist,
    pll,
    report,
    slots,
    source,
    timing,
    tools,
    twins,
)
from tests.export.helpers import case, rendered
from tests.export.test_twins import check_the_same

SMALLEST = case("2x2", "4 1 1 4 4", vocab=5, quant={"weight_bits": 4, "act_bits": 8, "kv_bits": 4})


@pytest.fixture(scope="module")
def small(sim_build: Path) -> Path:
    """The smallest machine, rendered."""
    return rendered(sim_build / "export" / "synth-2x2", SMALLEST)


def run_synth(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "export.synth", "--config", "tiny", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True)


# -- the whole way, with the tools


def test_a_small_machine_becomes_a_bitstream_once(small: Path, sim_build: Path) -> None:
    """Also: what is made is kept, and made again when it is lost or its input changes."""
    out = sim_build / "synth"
    words = ("--rtl", small, "--out", out, "--seeds", 1, "--freq", 50, "--bitstream")
    words += ("--top", "core")  # a third less to place than the whole board
    first = run_synth(*words)
    assert first.returncode == 0, first.stdout + first.stderr
    bits = (out / "fixformer.bit").read_bytes()
    assert len(bits) > 100_000
    summary = json.loads((out / "report.json").read_text())
    assert summary["status"] == "met"
    assert summary["fmax_mhz"] > 50
    assert summary["netlist"]["folded_registers"] > 0
    assert 0 < summary["use"]["luts"] < 5000
    assert summary["use"]["multipliers"] == sum(summary["expected"]["multipliers"].values())
    path = summary["seeds"][0]["critical_path"]
    assert path["start"].startswith("core / ")
    assert "core / " in (out / "report.txt").read_text()

    (out / "fixformer.bit").unlink()
    second = run_synth(*words)
    assert "netlist: kept" in second.stdout
    assert "seed-1: kept" in second.stdout
    assert "bitstream: begins" in second.stdout
    assert (out / "fixformer.bit").read_bytes() == bits

    record = json.loads((out / "seed-1.stage.json").read_text())
    record["fmax_mhz"] = 49.0
    (out / "seed-1.stage.json").write_text(json.dumps(record))
    third = run_synth(*words)
    assert third.returncode == 1
    assert "too slow: 49.0 MHz, 50.0 MHz are asked for" in third.stdout
    assert json.loads((out / "report.json").read_text())["status"] == "too slow"


@pytest.mark.slow
def test_a_whole_board_becomes_a_bitstream(small: Path, sim_build: Path) -> None:
    out = sim_build / "synth-board"
    result = run_synth("--rtl", small, "--out", out, "--seeds", 1, "--freq", 50, "--bitstream")
    assert result.returncode == 0, result.stdout + result.stderr
    summary = json.loads((out / "report.json").read_text())
    assert (summary["top"], summary["status"]) == ("fpga_top", "met")
    assert (out / "fixformer.bit").stat().st_size > 100_000


# -- refused before synthesis


def manifest_of(folder: Path) -> dict:
    return json.loads((folder / "manifest.json").read_text())


def test_a_machine_that_does_not_fit_is_refused_with_the_sums(small: Path, tmp_path: Path) -> None:
    manifest = manifest_of(small)
    manifest["parameters"] |= {"Rows": 16, "Cols": 16, "KvDepth": 4096}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    result = run_synth("--rtl", tmp_path, "--out", tmp_path / "out")
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert "multipliers 256 array + 16 requantiser" in result.stderr
    assert "ulx3s-85f has 156" in result.stderr
    assert "KV cache" in result.stderr
    assert "ulx3s-85f has 208" in result.stderr
    assert not (tmp_path / "out").exists()


def test_sums_are_those_of_the_netlist_on_every_device(small: Path) -> None:
    manifest = manifest_of(small)
    for name in devices.available():
        device = devices.load(name)
        fit.check(manifest, device)
        assert all(one.count > 0 for one in fit.multipliers(manifest, device))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--board", "nope"), "no board 'nope'; there are: arty-a7-100t, de10-nano, ice"),
        (("--seeds", "0"), "--seeds 0: at least 1"),
        (("--freq", "1000"), "--freq 1000: choose one from 1 to 400 MHz"),
        (("--board", "arty-a7-100t", "--bitstream"), "no open tool for the family xilinx7"),
        (("--rtl", "nowhere"), "no rendered machine in nowhere: run 'make rtl' first"),
    ],
)
def test_mistakes_are_one_line(words: tuple[str, ...], message: str) -> None:
    result = run_synth(*words)
    assert result.returncode == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_missing_tool_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(UserError, match=r"nextpnr-ecp5 is missing .* run 'make setup'"):
        tools.program("nextpnr-ecp5")


def test_every_board_is_readable_and_a_damaged_one_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in boards.available():
        board = boards.load(name)
        assert board.fpga.luts > 0
        assert pll.clock(board).hz == pytest.approx(board.core_hz, rel=0.01)
    (tmp_path / "b.toml").write_text("clock_hz = 3\n")
    monkeypatch.setattr(boards, "FOLDER", tmp_path)
    with pytest.raises(ConfigError, match=r"^board 'b': [^\n]*$"):
        boards.load("b")


def test_a_clock_that_no_divider_makes_is_refused() -> None:
    board = boards.load("icebreaker").model_copy(update={"core_hz": 5_000_000})
    with pytest.raises(UserError, match="no PLL setting makes 5 MHz of 12 MHz"):
        pll.clock(board)


# -- ports, pins


def test_all_ports_but_clock_reset_and_trace_are_connected() -> None:
    text = """module core (
    input  wire        clk_i,
    input  wire        rst_i,
    input  wire [15:0] s_axis_tdata,
    input  wire        s_axis_tvalid, // token
    output wire        busy_o,
    output wire [ 3:0] trace_data_o
);"""
    inputs, outputs = source.ports(text)
    assert [(p.name, p.width, p.lsb) for p in inputs] == [
        ("s_axis_tdata", 16, 0),
        ("s_axis_tvalid", 1, 16),
    ]
    assert [(p.name, p.width) for p in outputs] == [("busy_o", 1)]


def test_pins_of_each_tool() -> None:
    lpf = source.constraints(boards.load("ulx3s-85f"))
    pcf = source.constraints(boards.load("icebreaker"))
    assert lpf is not None
    assert pcf is not None
    assert 'LOCATE COMP "clk" SITE "G2";' in lpf[1]
    assert 'FREQUENCY PORT "clk" 25 MHZ;' in lpf[1]
    assert "set_io uart_rx 6" in pcf[1]
    assert source.constraints(boards.load("arty-a7-100t")) is None


def test_lights_and_reset_are_those_of_the_board() -> None:
    shared = {"config": "c", "source": "s"}
    low = source.fpga_top(boards.load("icebreaker"), shared)
    high = source.fpga_top(boards.load("ulx3s-85f"), shared)
    assert "assign leds = ~all_leds[1:0];" in low
    assert ".rst_n(rst_n)" in low
    assert "assign leds = all_leds[7:0];" in high
    assert ".rst_n(1'b1)" in high


# -- a large array, on the smallest


def push_away(module: dict) -> None:
    """Put the register with the longest way where it is far from all: a way to be relieved."""
    work = twins.Twins(module)
    design = work.placed
    design.time()
    registers = {n: c for n, c in design.driver.items() if design.cells[c]["type"] == "TRELLIS_FF"}
    net = max(registers, key=lambda n: (design.arrival[n] + design.tail[n], registers[n]))
    name = registers[net]
    needs, (column, row) = slots.control(design.cells[name]), design.at[name]
    far = max(work.slots.points.tolist(), key=lambda p: abs(p[0] - column) + abs(p[1] - row))
    index = work.slots.find(tuple(far), needs)
    assert index is not None
    work._twin(net, name, list(design.readers[net]), index, twins.Option((), (), []))
    made = f"{name}{twins.MARK}1"  # it is no twin
    module["cells"][name] = module["cells"].pop(made)
    module["netnames"][name] = module["netnames"].pop(f"{made}.Q")


def test_a_planned_machine_is_placed_then_relieved_then_routed(
    small: Path, sim_build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(floorplan, "LARGE", 0.0)
    monkeypatch.setattr(twins, "ENOUGH", 0.1)
    best, designs = twins.best, []

    def watched(load: Callable[[], dict], enough: float) -> tuple[dict, twins.Relief]:
        def far() -> dict:
            design = load()
            push_away(netlist.top(design))
            return design

        design, relief = best(far, enough)
        designs.append((netlist.top(far()), copy.deepcopy(netlist.top(design))))
        return design, relief

    monkeypatch.setattr(twins, "best", watched)
    board = boards.load("ulx3s-85f").model_copy(update={"core_hz": 50_000_000})
    folder = sim_build / "synth-planned"
    shutil.rmtree(folder, ignore_errors=True)
    job = flow.Job(small, board, folder, (1,), print, source.CORE_TOP)
    result = flow.run(job)
    (seed,) = result["seeds"]
    assert seed["status"] == "routed"
    assert seed["target_mhz"] == 50
    assert seed["fmax_mhz"] > 50
    assert result["floorplan"]["fixed"] > 0
    (pair,) = designs
    assert seed["twins"]["count"] == check_the_same(*pair) > 0
    assert seed["twins"]["after"] < seed["twins"]["before"]
    assert not list(folder.glob("placed-*"))
    assert (folder / "config-1.txt").stat().st_size > 100_000


def configuration(path: Path) -> set[str]:
    """Lines of the configuration by tile, without its routing: the ways, and which of a tile's
    two resets a slice takes."""
    lines, tile = set(), ""
    for line in path.read_text().splitlines():
        if line.startswith("."):
            tile = line
        elif line and not line.startswith("arc:"):
            lines.add(tile + re.sub(r"LSR[01]\.", "LSR.", line))
    return lines


def test_a_placed_netlist_that_is_read_again_means_the_same(sim_build: Path) -> None:
    """Its configuration is that of one run; inputs that are left out would be seen."""
    folder, board = sim_build / "synth-planned", boards.load("ulx3s-85f")
    fixed = ["--disable-router-lutperm"]
    once = families.place_and_route(board, "planned.json", "source/pins.lpf", 2)
    place = [*families.place(board, "planned.json", "again.json"), "--lpf", "source/pins.lpf"]
    again = families.place_and_route(board, "again.json", "source/pins.lpf", 2)

    def nextpnr(arguments: list[str]) -> None:
        assert not tools.run("nextpnr-ecp5", arguments, folder, folder / "again.log", print).status

    nextpnr([*once, *fixed])
    expected = configuration(folder / "config-2.txt")
    nextpnr([*place, "--seed", "2"])
    design = netlist.load(folder / "again.json")
    forgetful = copy.deepcopy(design)
    families.reopen(netlist.top(design), 50e6)
    (folder / "again.json").write_text(json.dumps(design))
    nextpnr([*again, *fixed, *families.PLACED])
    assert configuration(folder / "config-2.txt") == expected
    (folder / "again.json").write_text(json.dumps(forgetful))
    nextpnr([*again, *fixed, *families.PLACED])
    assert configuration(folder / "config-2.txt") != expected


def test_a_netlist_read_again_has_its_clock_its_router_and_all_inputs() -> None:
    wires = {"A": [], "B": [3], "F": []}
    ways = {"A": "input", "B": "input", "F": "output"}
    module = {
        "settings": {"router": "router1", "seed": "1"},
        "cells": {"table": {"connections": wires, "port_directions": ways}},
    }
    families.reopen(module, 94e6)
    assert module["settings"] == {
        "router": "router2",
        "seed": "1",
        "target_freq": "94000000.000000",
    }
    assert wires == {"A": ["x"], "B": [3], "F": []}


ROUND = "Info:     iter=7 wires=100 overused={} overuse={} tmgfail=9 archfail=NA\n"


def test_a_router_that_goes_in_a_circle_is_seen() -> None:
    circle = families.Circle()
    for overused in [4] + 30 * [0] + [1] + 30 * [0]:
        assert not circle.closed(ROUND.format(overused, overused))
        assert not circle.closed("Info: something else\n")
    assert circle.closed(ROUND.format(0, 0))
    circle = families.Circle()
    closed = [circle.closed(ROUND.format(1, 1)) for _ in range(201)]
    assert closed == 200 * [False] + [True]


def test_a_tool_is_ended_when_it_has_said_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools, "program", lambda _: Path(sys.executable))
    script = "import itertools\nfor n in itertools.count(): print('round', n, flush=True)"
    log = tmp_path / "log"
    done = tools.run("yosys", ["-c", script], tmp_path, log, print, None, lambda x: "33" in x)
    assert done.status == -signal.SIGKILL
    assert log.read_text().splitlines()[-1] == "round 33"


@pytest.mark.parametrize("circles", [0, 2, flow.AIMS - 1])
def test_an_aim_that_cannot_be_reached_is_lowered(
    circles: int, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the router comes to an end; the last time it need not look at the clock."""
    aims, calls = [100e6], []

    def run(tool: str, words: list[str], *rest: Any) -> tools.Result:
        calls.append(words)
        if "--no-place" in words:
            for _ in range(100 if len(calls) - 1 <= circles else 1):
                rest[-1](ROUND.format(0, 0))
            (tmp_path / "report-1.json").touch()
        return tools.Result(0, 1.0, 1.0, 1.0)

    monkeypatch.setattr(tools, "run", run)
    monkeypatch.setattr(flow, "relieve", lambda *_: (twins.Relief(1, 2.0, 1.0), aims[0]))
    monkeypatch.setattr(flow, "aim", lambda _, hz: aims.append(hz))
    monkeypatch.setattr(netlist, "load", lambda _: {})
    monkeypatch.setattr(netlist, "top", dict)
    monkeypatch.setattr(netlist, "scopes", dict)
    monkeypatch.setattr(timing, "read", lambda *_: {})
    board = boards.load("ulx3s-85f")
    job = flow.Job(small, board, tmp_path, (1,), print, source.CORE_TOP)
    made = source.Source(tmp_path, "synth_top", [], "pins.lpf", 100_000_000)
    seed = flow.route(job, made, 1, {"file": "planned.json", "fixed": 1, "key": "k"})
    assert seed["status"] == "routed"
    assert aims == pytest.approx([100e6 * flow.LESS**n for n in range(circles + 1)])
    assert len(calls) == circles + 2
    assert ("--tmg-ripup" in calls[-1]) == (circles < flow.AIMS - 1)
    # kept, unless it would be made with another aim
    again = flow.route(job, made, 1, {"file": "planned.json", "fixed": 1, "key": "k"})
    assert again == seed
    assert len(calls) == circles + 2
    monkeypatch.setattr(flow, "ABOVE", 1.0)
    flow.route(job, made, 1, {"file": "planned.json", "fixed": 1, "key": "k"})
    assert len(calls) > circles + 2


# -- registers of block RAM


def block_and_register(**changes: object) -> dict:
    """A ROM with one data bit that a register takes."""
    register = {"CLKMUX": "CLK", "CEMUX": "1", **changes}
    ways = {"CLK": "input", "DI": "input", "LSR": "input", "CE": "input", "Q": "output"}
    wires: dict = {"CLK": [2], "DI": [10], "LSR": ["0"], "Q": [11]}
    if "CE" in changes:
        wires["CE"] = register.pop("CE")
    return {
        "ports": {"q": {"bits": [11]}},
        "cells": {
            "ram": {
                "type": "DP16KD",
                "parameters": {"DATA_WIDTH_A": f"{18:b}", "REGMODE_A": "NOREG"},
                "port_directions": {"DOA0": "output", "DOA1": "output", "CLKA": "input"},
                "connections": {"DOA0": [10], "DOA1": [12], "CLKA": [2], "CLKB": ["0"]},
            },
            "register": {
                "type": "TRELLIS_FF",
                "parameters": register,
                "port_directions": ways,
                "connections": wires,
            },
        },
    }


def test_the_register_behind_a_block_moves_into_it() -> None:
    module = block_and_register()
    assert netlist.fold_output_registers(module) == 1
    assert "register" not in module["cells"]
    ram = module["cells"]["ram"]
    assert ram["connections"]["DOA0"] == [11]
    assert ram["parameters"]["REGMODE_A"] == "OUTREG"


def test_a_rom_of_36_bits_takes_its_register_and_a_ram_with_another_clock_does_not() -> None:
    for enable, folded in ("0", 1), ("1", 0):
        module = block_and_register()
        ram = module["cells"]["ram"]
        ram["parameters"] |= {"DATA_WIDTH_A": f"{36:b}", "REGMODE_B": "NOREG"}
        ram["connections"] |= {"CEA": [enable], "CLKA": ["0"], "CLKB": [2]}
        assert netlist.fold_output_registers(module) == folded
        assert ram["connections"]["CLKA"] == ([2] if folded else ["0"])
        assert ram["parameters"]["REGMODE_A"] == ("OUTREG" if folded else "NOREG")


def test_a_register_that_is_not_plain_stays() -> None:
    for module in (
        block_and_register(CE=[7], CEMUX="CE"),
        block_and_register(CLKMUX="INV"),
        block_and_register() | {"ports": {"data": {"bits": [10]}}},
    ):
        assert netlist.fold_output_registers(module) == 0
        assert module["cells"]["ram"]["parameters"]["REGMODE_A"] == "NOREG"
    other_clock = block_and_register()
    other_clock["cells"]["register"]["connections"]["CLK"] = [3]
    assert netlist.fold_output_registers(other_clock) == 0
    second_reader = block_and_register()
    second_reader["cells"]["lut"] = {
        "type": "LUT4",
        "parameters": {},
        "port_directions": {"A": "input"},
        "connections": {"A": [10]},
    }
    assert netlist.fold_output_registers(second_reader) == 0


# -- the report


def test_a_critical_path_is_told_in_module_names(tmp_path: Path) -> None:
    parts = [
        (
            "clk-to-q",
            "u_core.u_array.addr_q_TRELLIS_FF_Q",
            "u_core.u_array.addr_q_TRELLIS_FF_Q",
            0.5,
        ),
        ("routing", "u_core.u_array.addr_q_TRELLIS_FF_Q", "u_core.u_sum.x_LUT4", 2.0),
        ("logic", "u_core.u_sum.x_LUT4", "u_core.u_sum.x_LUT4", 0.25),
    ]
    data = {
        "fmax": {"clk": {"achieved": 123.456, "constraint": 100.0}},
        "utilization": {"TRELLIS_COMB": {"used": 5, "available": 10}},
        "critical_paths": [
            {
                "from": "posedge clk",
                "to": "posedge clk",
                "path": [
                    {"type": kind, "from": {"cell": a}, "to": {"cell": b}, "delay": delay}
                    for kind, a, b, delay in parts
                ],
            }
        ],
    }
    (tmp_path / "r.json").write_text(json.dumps(data))
    found = timing.read(
        tmp_path / "r.json", {"u_core": "core", "u_core.u_array": "array", "u_core.u_sum": "sum"}
    )
    assert found["fmax_mhz"] == 123.46
    path = found["critical_path"]
    assert path["start"] == "core / array: addr_q"
    assert path["end"] == "core / sum: x_LUT4"
    assert path["through"] == ["core / array", "core / sum"]
    assert (path["delay"], path["logic"], path["routing"]) == (2.75, 0.75, 2.0)


def outcome(board: Board, seeds: list[dict]) -> dict:
    manifest = {"config": "c", "source": "s", "array": {"rows": 2, "cols": 2}}
    manifest |= {"streams": 1, "cycles_per_token": 100.0}
    use = {"luts": 1, "flip_flops": 1, "multipliers": 1, "blocks": 1}
    made = {"use": use, "cpu_seconds": 1, "memory_mib": 1}
    result = {"top": "t", "clock_hz": board.core_hz, "netlist": made, "seeds": seeds}
    return report.build(manifest, board, {}, result)


def test_the_best_seed_counts_and_all_are_told() -> None:
    board, cost = boards.load("ulx3s-85f"), {"cpu_seconds": 1, "memory_mib": 1}
    slow = {"seed": 1, "status": "routed", "fmax_mhz": 90.0, "critical_path": None} | cost
    fast = {"seed": 2, "status": "routed", "fmax_mhz": 110.0, "critical_path": None} | cost
    lost = {"seed": 3, "status": "unroutable", "why": "ERROR: no way"} | cost
    found = outcome(board, [slow, fast, lost])
    assert (found["status"], found["best_seed"], found["fmax_mhz"]) == ("met", 2, 110.0)
    assert found["tokens_per_second"] == 1_100_000
    text = report.table(found)
    assert "90.0" in text
    assert "110.0" in text
    assert "ERROR: no way" in text
    assert outcome(board, [slow])["status"] == "too slow"
    assert outcome(board, [lost])["status"] == "unroutable"
    assert outcome(board, [])["status"] == "synthesised"


def test_registers_without_a_table_count_as_logic_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report.tools, "version", lambda tool: "1")  # of a wheel that may be missing
    board, cost = boards.load("icebreaker"), {"cpu_seconds": 1, "memory_mib": 1}
    seed = {"seed": 1, "status": "routed", "fmax_mhz": 20.0, "critical_path": None} | cost
    found = outcome(board, [seed | {"use": {"ICESTORM_LC": [5, 9]}}])
    assert found["use"]["luts"] == 5
    assert found["netlist"]["use"]["luts"] == 1


def test_every_family_has_its_script() -> None:
    for family in families.SYNTHESIS:
        assert "netlist.json" in families.synthesis(family, "top", ["a.sv"])


# -- projects for the vendors' tools, the benchmark


def run_project(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "export.synth.project", *words]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture
def config(small: Path) -> Iterator[Path]:
    """A config file whose rendered machine is the smallest; its build folder goes afterwards."""
    path = small.parent / "synth-config.toml"
    path.write_text("[model]\nd_model = 4\n")
    build = schema.BUILD_DIR / "synth-config"
    shutil.copytree(small, build / "rtl", dirs_exist_ok=True)
    yield path
    shutil.rmtree(build)


def test_projects_name_every_file_and_pin(config: Path) -> None:
    for board, script in (("arty-a7-100t", "vivado.tcl"), ("de10-nano", "quartus.tcl")):
        result = run_project("--config", str(config), "--board", board)
        assert result.returncode == 0, result.stderr
        folder = schema.BUILD_DIR / "synth-config" / "project" / board
        text = (folder / script).read_text()
        assert "{{" not in text
        assert "do not run it" in text
        assert all(path.name in text for path in folder.glob("*.sv"))
        both = text + (folder / "pins.xdc").read_text() if board == "arty-a7-100t" else text
        assert all(pin in both for pin in source.pins(boards.load(board)).values())
        assert text.count("{") == text.count("}")
        assert text.count("[") == text.count("]")
    assert "DSP48E1" in (schema.BUILD_DIR / "synth-config/project/arty-a7-100t/mul.sv").read_text()
    result = run_project("--config", str(config), "--board", "ulx3s-85f")
    assert result.returncode == 2
    assert "--board ulx3s-85f: 'make synth' serves it" in result.stderr
    result = run_synth("--board", "de10-nano")
    assert "--board de10-nano: no open tools; 'make project' writes a project" in result.stderr


def test_the_section_tells_every_seed() -> None:
    board, cost = boards.load("ulx3s-85f"), {"cpu_seconds": 7, "memory_mib": 90}
    path = {"delay": 9.0, "routing": 5.0, "start": "core / a: x", "end": "core / b: y"}
    seeds = [
        {"seed": 1, "status": "routed", "fmax_mhz": 90.0, "critical_path": path} | cost,
        {"seed": 2, "status": "unroutable", "why": "no way"} | cost,
    ]
    about = {"command": "c", "seed": 1, "versions": {"yosys": "1"}}
    about |= {"host": measure.host() | {"load_before": 0.0, "load_after": 0.0}}
    text = benchmark.markdown([outcome(board, seeds), outcome(board, [])], about)
    assert "90.0, unroutable" in text
    assert "resources only" in text
    assert "from `core / a: x` to `core / b: y`" in text
    assert "900,000" in text


@pytest.mark.slow
@pytest.mark.parametrize("board", ["arty-a7-100t", "tangnano20k"])
def test_other_families_are_synthesised(board: str, small: Path, sim_build: Path) -> None:
    out = sim_build / f"synth-{board}"
    result = run_synth("--rtl", small, "--out", out, "--board", board)
    assert result.returncode == 0, result.stdout + result.stderr
    summary = json.loads((out / "report.json").read_text())
    assert summary["status"] == "synthesised"
    assert summary["use"]["multipliers"] == sum(summary["expected"]["multipliers"].values())
    assert summary["use"]["luts"] > 0
    assert summary["use"]["blocks"] > 0


# -- paths before placement


def chain(hops: int) -> dict:
    """A register, `hops` tables, a register; and a block RAM without an output register."""
    ways = {"A": "input", "Z": "output", "DI": "input", "Q": "output", "DOA0": "output"}

    def cell(kind: str, **wires: int) -> dict:
        connections = {port: [net] for port, net in wires.items()}
        return {
            "type": kind,
            "parameters": {},
            "attributes": {},
            "port_directions": ways,
            "connections": connections,
        }

    cells = {"u_a.first": cell("TRELLIS_FF", Q=10), "u_b.last": cell("TRELLIS_FF", DI=10 + hops)}
    for hop in range(hops):
        cells[f"u_b.table{hop}"] = cell("LUT4", A=10 + hop, Z=11 + hop)
    cells |= {"u_c.ram": cell("DP16KD", DOA0=5), "u_c.taken": cell("TRELLIS_FF", DI=5)}
    for name in "abc":
        scope = {"attributes": {"module": name}, "port_directions": {}, "connections": {}}
        cells[f"u_{name}"] = {"type": "$scopeinfo", **scope}
    return {"cells": cells}


def test_the_longest_chain_comes_first() -> None:
    paths = estimate.Netlist(chain(9)).slowest(5)
    assert [(path.start, path.end) for path in paths] == [("a", "b"), ("c", "c")]
    assert len(paths[0].cells) == 11
    expected = estimate.REGISTER + 9 * (estimate.ROUTE + estimate.LOGIC["LUT4"]) + estimate.ROUTE
    assert paths[0].delay == pytest.approx(expected, abs=0.01)
    assert [path.start for path in estimate.Netlist(chain(2)).slowest(5)] == ["c", "a"]
