"""What is particular to a family of FPGAs: Yosys' script, nextpnr's options, the bitstream."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from configs.boards import Board

SYNTHESIS = {
    "ecp5": "synth_ecp5 -top {top} -json netlist.json",
    # without -dsp, which loses registers; the attribute is of our instances of the multiplier, and
    # would have the flattened top made again from modules that are gone
    "ice40": "synth_ice40 -top {top} -run begin:check; setattr -unset reprocess_after t:SB_MAC16; "
    "synth_ice40 -top {top} -run check: -json netlist.json",
    "gowin": "synth_gowin -top {top} -json netlist.json",
    "xilinx7": "synth_xilinx -family xc7 -flatten -top {top}; write_json netlist.json",
}
ROUTER = {"ecp5": "nextpnr-ecp5", "ice40": "nextpnr-ice40"}  # others: resources only
# cells with a table, a register or both: known after packing
CELLS = {"ice40": "ICESTORM_LC"}
PACKER = {"ecp5": "ecppack", "ice40": "icepack"}


@dataclass(frozen=True)
class Use:
    """What a netlist takes of a device. `luts`: carry chains and memories in logic included."""

    luts: int
    flip_flops: int
    multipliers: int
    blocks: float


def synthesis(family: str, top: str, verilog: list[str], blocks: Sequence[str] = ()) -> str:
    """Yosys' script; `blocks`: ROMs to put into block RAM whatever they cost there."""
    lines = [f"read_verilog -sv {' '.join(verilog)}"]
    lines += [f"setattr -set rom_block 1 {name}/m:*" for name in blocks]
    return "\n".join([*lines, SYNTHESIS[family].format(top=top), ""])


def _part(board: Board) -> list[str]:
    """nextpnr's options for the FPGA."""
    part = [f"--{board.fpga.part}", "--package", board.package]
    return [*part, "--speed", board.speed] if board.fpga.family == "ecp5" else part


def place(board: Board, netlist: str, placed: str) -> list[str]:
    """nextpnr's options to place a netlist; it writes what it placed."""
    options = ["--json", netlist, "--no-route", "--write", placed, "--timing-allow-fail"]
    return [*_part(board), *options]


def place_and_route(board: Board, netlist: str, constraints: str, seed: int) -> list[str]:
    """nextpnr's options; outputs are named after the seed."""
    common = ["--json", netlist, "--seed", str(seed), "--timing-allow-fail"]
    common += ["--report", f"report-{seed}.json"]
    pins, output = ("--lpf", "--textcfg") if board.fpga.family == "ecp5" else ("--pcf", "--asc")
    return [*_part(board), *common, pins, constraints, output, f"config-{seed}.txt"]


# the netlist is placed already; connections that are too slow for the clock are routed again
ONCE = ["--no-pack", "--no-place"]
PLACED = [*ONCE, "--tmg-ripup"]


class Circle:
    """Sees in nextpnr's output that its router goes in a circle: with an aim that cannot be reached
    it makes slow connections again without an end."""

    ROUND = re.compile(r"iter=\d+ wires=\d+ overused=(\d+) ")
    IDLE, ROUNDS = (
        30,
        200,
    )  # rounds with nothing in conflict, which slow connections alone go on; all

    def __init__(self) -> None:
        self.idle = self.rounds = 0

    def closed(self, line: str | None = None) -> bool:
        """Whether it does, after another line."""
        if line is not None and (found := self.ROUND.search(line)):
            self.rounds += 1
            self.idle = self.idle + 1 if found[1] == "0" else 0
        return self.idle > self.IDLE or self.rounds > self.ROUNDS


def reopen(module: dict[str, Any], hz: float) -> None:
    """Make a netlist that nextpnr has placed fit to be read again.

    nextpnr keeps its settings in the netlist, where they win over its options, and forgets the
    clock; its default router leaves a crowded device unfinished. It leaves out inputs without a
    net, and then does not tie them to their constants: unless they are unknown.
    """
    module["settings"] |= {"router": "router2", "target_freq": f"{hz:.6f}"}
    for cell in module["cells"].values():
        for port, bits in cell["connections"].items():
            if not bits and cell["port_directions"][port] == "input":
                cell["connections"][port] = ["x"]


def pack(family: str, seed: int, bitstream: str) -> list[str]:
    """Options that make a bitstream of nextpnr's output."""
    config = f"config-{seed}.txt"
    return ["--compress", config, bitstream] if family == "ecp5" else [config, bitstream]


def use(family: str, cells: Counter[str]) -> Use:
    """What Yosys' cells take, before placement."""

    def total(*names: str) -> int:
        return sum(cells[name] for name in names)

    if family == "ecp5":
        logic = total("LUT4") + 2 * cells["CCU2C"] + 4 * cells["TRELLIS_DPR16X4"]
        blocks: float = cells["DP16KD"]
        return Use(logic, cells["TRELLIS_FF"], cells["MULT18X18D"], blocks)
    if family == "ice40":
        flip_flops = sum(count for name, count in cells.items() if name.startswith("SB_DFF"))
        return Use(total("SB_LUT4"), flip_flops, cells["SB_MAC16"], cells["SB_RAM40_4K"])
    if family == "gowin":
        logic = total("LUT1", "LUT2", "LUT3", "LUT4", "ALU")
        logic += 4 * sum(count for name, count in cells.items() if name.startswith("RAM16S"))
        flip_flops = sum(count for name, count in cells.items() if name.startswith("DFF"))
        memories = ("SP", "SPX9", "SDPB", "SDPX9B", "DPB", "DPX9B", "pROM", "pROMX9")
        products = total("MULT18X18") + total("MULT9X9") / 2 + 2 * total("MULT36X36")
        return Use(logic, flip_flops, int(products), total(*memories))
    logic = sum(cells[f"LUT{size}"] for size in range(1, 7))
    logic += 4 * cells["RAM32M"] + 4 * cells["RAM64M"] + 2 * cells["RAM32X1D"]
    logic += total("SRL16E", "SRLC32E")  # shift registers in tables
    flip_flops = total("FDRE", "FDSE", "FDCE", "FDPE")
    return Use(logic, flip_flops, cells["DSP48E1"], cells["RAMB36E1"] + cells["RAMB18E1"] / 2)
