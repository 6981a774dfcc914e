"""The top of an FPGA: the core behind a serial line, for one clock frequency and bit rate."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from configs import cli
from configs.cli import UserError
from export import around

TOP = "board_top"
CYCLES_A_BIT = 8  # at least, so that a host's clock may be 2 % off
STEP_BITS = 24  # of the bit clock's fraction
LOG_ANSWER = 4  # answers that wait: configs.protocol.TOKENS_A_FRAME of them
GAP_BITS = 11  # silence behind a frame
TIMEOUT = 0.25  # seconds after which half a frame is given up
HEARTBEAT = 8  # changes of the slowest light in about a second


def log_prompt(context: int) -> int:
    """2 to the power of this tokens of a prompt are held."""
    return max(1, (context - 1).bit_length())


def values(clock_hz: int, baud: int, context: int, timeout: float) -> dict[str, int]:
    """Numbers of the top; UserError if the line is too fast for the clock."""
    if baud * CYCLES_A_BIT > clock_hz:
        raise UserError(
            f"{baud} bit/s needs a clock of {baud * CYCLES_A_BIT / 1e6:g} MHz, "
            f"{CYCLES_A_BIT} cycles a bit; it has {clock_hz / 1e6:g} MHz: choose a lower baud"
        )
    return {
        "clock_hz": clock_hz,
        "baud": baud,
        "step": round(baud * 2**STEP_BITS / clock_hz),
        "log_prompt": log_prompt(context),
        "log_answer": LOG_ANSWER,
        "timeout": max(1, round(clock_hz * timeout)),
        "gap": -(-GAP_BITS * clock_hz // baud),
        "log_hold": max(1, (clock_hz // HEARTBEAT).bit_length() - 1),
    }


def render(
    rtl: Path,
    out: Path,
    clock_hz: int,
    baud: int,
    clock_module: str = "clock_pass",
    timeout: float = TIMEOUT,
) -> list[str]:
    """Write `board_top.sv`, the modules it needs beside the core's, and `board.f` into `out`.

    rtl: a rendered core. clock_hz: of the core, behind the module `clock_module`. The file list has
    all Verilog but that module, if it is not `clock_pass`; its names are relative to `out`.
    """
    core = around.load(rtl)
    modules = sorted((around.HDL / "board").glob("*.sv"))
    if clock_module != "clock_pass":
        modules = [path for path in modules if path.stem != "clock_pass"]
    numbers: dict[str, Any] = values(clock_hz, baud, core.context, timeout)
    text = around.template(f"{TOP}.sv.j2").render(
        clock_module=clock_module, **numbers, **core.values()
    )
    own = around.write(out, TOP, text, modules)
    names = [os.path.relpath(path, out) for path in core.files] + own
    (out / "board.f").write_text("\n".join(names) + "\n", encoding="utf-8")
    return names


def main() -> None:
    parser = cli.parser("export.board", "Render the top of a board for a rendered core.", False)
    parser.add_argument("--rtl", type=Path, required=True, help="folder of the rendered core")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--clock", type=int, required=True, help="of the core, in Hz")
    parser.add_argument("--baud", type=int, default=115200, help="bit rate of the line")
    parser.add_argument("--timeout", type=float, default=TIMEOUT, help="of half a frame, seconds")
    args = parser.parse_args()
    if args.clock <= 0 or args.baud <= 0:
        raise UserError("--clock, --baud: choose numbers above 0")
    render(args.rtl, args.out, args.clock, args.baud, timeout=args.timeout)
    print(f"written     {args.out}")


if __name__ == "__main__":
    cli.run(main)
