"""The folder that the tools read: the rendered machine, the family's multiplier, top and pins."""

from __future__ import annotations

import hashlib
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs import files
from configs.boards import Board
from export import around
from export import board as board_module
from export.synth import pll

PRIMITIVES = Path(__file__).parent.parent / "primitives"
BOARD_TOP = "fpga_top"  # the whole board, with its serial line
CORE_TOP = "synth_top"  # the core alone, behind a shift register
SLICE = 16  # answers whose parity is one register
PORT = re.compile(
    r"^\s*(input|output)\s+(?:wire|reg|logic)\s+(?:\[\s*(\d+)\s*:\s*0\s*\])?\s*(\w+)", re.MULTILINE
)
CLOCK_AND_RESET = ("clk_i", "rst_i")


@dataclass(frozen=True)
class Port:
    """A port of the core, and its place among all of its direction."""

    name: str
    width: int
    lsb: int


@dataclass(frozen=True)
class Source:
    """What was written: file names in `folder`, in the order in which they are read."""

    folder: Path
    top: str
    verilog: list[str]
    constraints: str | None
    clock_hz: float


def ports(text: str) -> tuple[list[Port], list[Port]]:
    """Inputs and outputs of the core, without clock, reset and trace."""
    header = text[text.index("module core") : text.index(");")]
    found: dict[str, list[Port]] = {"input": [], "output": []}
    for direction, high, name in PORT.findall(header):
        if name in CLOCK_AND_RESET or name.startswith("trace_"):
            continue
        same = found[direction]
        same.append(Port(name, int(high or 0) + 1, sum(port.width for port in same)))
    return found["input"], found["output"]


def _core_top(core: str, board: Board, shared: dict[str, Any]) -> str:
    inputs, outputs = ports(core)
    lsb = {port.name: port.lsb for port in outputs}
    answers = range(sum(port.width for port in outputs))
    return around.template(f"{CORE_TOP}.sv.j2").render(
        inputs=inputs,
        outputs=outputs,
        slices=[answers[start : start + SLICE] for start in answers[::SLICE]],
        busy=lsb["busy_o"],
        leds=len(board.pins.leds),
        clock_module=board.clock_module,
        **shared,
    )


def pins(board: Board) -> dict[str, str]:
    """The package pin of every port of the top."""
    named = board.pins
    result = {"clk": named.clk, "uart_rx": named.uart_rx, "uart_tx": named.uart_tx}
    if named.rst_n is not None:
        result["rst_n"] = named.rst_n
    return result | {f"leds[{index}]": pin for index, pin in enumerate(named.leds)}


def constraints(board: Board) -> tuple[str, str] | None:
    """Name and text of the pin file for the place-and-route tool of the board's family."""
    mhz = board.clock_hz / 1e6
    if board.fpga.family == "ecp5":
        lines = [f'FREQUENCY PORT "clk" {mhz:g} MHZ;']
        for port, pin in pins(board).items():
            lines.append(f'LOCATE COMP "{port}" SITE "{pin}";')
            lines.append(f'IOBUF PORT "{port}" IO_TYPE=LVCMOS33;')
        return "pins.lpf", "\n".join(lines) + "\n"
    if board.fpga.family == "ice40":
        lines = [f"set_frequency clk {mhz:g}"]
        lines += [f"set_io {port} {pin}" for port, pin in pins(board).items()]
        return "pins.pcf", "\n".join(lines) + "\n"
    return None


def _clock(board: Board, clock: pll.Clock, shared: dict[str, Any]) -> str:
    return around.template("clock_pll.sv.j2").render(
        family=board.fpga.family,
        dividers=clock.dividers,
        core_mhz=f"{clock.hz / 1e6:g}",
        clock_mhz=f"{board.clock_hz / 1e6:g}",
        **shared,
    )


def fpga_top(board: Board, shared: dict[str, Any]) -> str:
    """The module with the board's own ports."""
    return around.template(f"{BOARD_TOP}.sv.j2").render(
        board=board.name,
        leds=len(board.pins.leds),
        leds_low=board.leds_low,
        reset=board.pins.rst_n is not None,
        **shared,
    )


def _board_top(stage: Path, board: Board, clock: pll.Clock, shared: dict[str, Any]) -> list[str]:
    """The board's top and its modules beside the core; names of all Verilog."""
    hz = round(clock.hz)
    names = board_module.render(stage, stage, hz, board.baud, board.clock_module)
    (stage / f"{BOARD_TOP}.sv").write_text(fpga_top(board, shared), encoding="utf-8")
    return [*names, f"{BOARD_TOP}.sv"]


def write(rtl: Path, board: Board, folder: Path, top: str = BOARD_TOP) -> Source:
    """Fill `folder` with everything that synthesis reads of the machine in `rtl`."""
    core = around.load(rtl)
    shared = {"config": core.config, "source": core.source[:16]}
    clock = pll.clock(board)
    names = [path.name for path in core.files]
    with files.staged_dir(folder) as stage:
        for path in [*core.files, *sorted(rtl.glob("*.hex"))]:
            shutil.copyfile(path, stage / path.name)
        for name in ("manifest.json", "files.f"):
            shutil.copyfile(rtl / name, stage / name)
        for path in sorted((PRIMITIVES / board.fpga.family).glob("*.sv")):
            shutil.copyfile(path, stage / path.name)
        if top == BOARD_TOP:
            names = _board_top(stage, board, clock, shared)
        else:
            header = (rtl / "core.sv").read_text(encoding="utf-8")
            text = _core_top(header, board, shared)
            (stage / f"{CORE_TOP}.sv").write_text(text, encoding="utf-8")
            names.append(f"{CORE_TOP}.sv")
        if clock.dividers:
            (stage / "clock_pll.sv").write_text(_clock(board, clock, shared), encoding="utf-8")
            names.append("clock_pll.sv")
        placed = constraints(board)
        if placed is not None:
            (stage / placed[0]).write_text(placed[1], encoding="utf-8")
    return Source(folder, top, names, placed[0] if placed else None, clock.hz)


def digest(source: Source) -> str:
    """Of everything in the folder."""
    total = hashlib.sha256()
    for path in sorted(source.folder.iterdir()):
        total.update(path.name.encode())
        total.update(path.read_bytes())
    return total.hexdigest()
