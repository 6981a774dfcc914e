"""`python -m export.synth`: from Verilog to a bitstream, in build/<config>/synth/<board>."""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

from configs import boards, cli, files, schema
from configs.boards import Board
from configs.cli import UserError
from export import cycles, render, spec
from export.synth import families, fit, flow, report, source
from quant import qmodel


def arguments() -> argparse.Namespace:
    parser = cli.parser(
        "export.synth", "Synthesise a rendered machine for a board, place and route it."
    )
    parser.add_argument("--text", metavar="FILE", help="the text that the model was trained on")
    parser.add_argument(
        "--board", default="ulx3s-85f", help=f"one of {', '.join(boards.available())}"
    )
    parser.add_argument("--freq", type=float, help="clock of the machine in MHz (the board's)")
    parser.add_argument("--seeds", type=int, default=2, help="how many seeds to try, 1, 2, ...")
    parser.add_argument("--bitstream", action="store_true", help="write a .bit of the best seed")
    parser.add_argument(
        "--top",
        choices=("board", "core"),
        default="board",
        help="the whole board, or the core alone behind a shift register",
    )
    parser.add_argument("--array", metavar="RxC", help="this array instead of the config's")
    parser.add_argument(
        "--streams", type=int, metavar="N", help="so many streams instead of the config's"
    )
    parser.add_argument("--rtl", type=Path, help="folder of the rendered machine (the config's)")
    parser.add_argument("--out", type=Path, help="folder to write (build/<config>/synth/<board>)")
    return parser.parse_args()


def chosen_board(args: argparse.Namespace) -> Board:
    board = boards.load(args.board)
    if args.seeds < 1:
        raise UserError(f"--seeds {args.seeds}: at least 1")
    if board.fpga.family not in families.SYNTHESIS:
        raise UserError(f"--board {args.board}: no open tools; 'make project' writes a project")
    if args.bitstream and board.fpga.family not in families.PACKER:
        raise UserError(f"--bitstream: no open tool for the family {board.fpga.family}")
    if args.freq is None:
        return board
    if not 1 <= args.freq <= 400:
        raise UserError(f"--freq {args.freq:g}: choose one from 1 to 400 MHz")
    return board.model_copy(update={"core_hz": round(args.freq * 1e6)})


def named(board: str, top: str, array: str | None, streams: int | None) -> str:
    """Folder of a board, and of a top, array or stream count that are not the usual ones."""
    parts = [board, "core" if top == "core" else None, array, streams and f"{streams}-streams"]
    return "-".join(str(part) for part in parts if part)


def rendered(config: schema.Config, array: str | None, streams: int | None, folder: Path) -> Path:
    """`folder`, with the config's artefact on another array, or with other streams, in it."""
    quant, own = config.build_dir / "quant", config.hardware
    shape = cycles.array(array) if array else (own.rows, own.cols)
    count = own.streams if streams is None else streams
    if not 1 <= count <= schema.STREAMS:
        raise UserError(f"--streams {count}: choose 1 to {schema.STREAMS}")
    machine = spec.build(qmodel.load(quant), *shape, count)
    digest = files.sha256(quant / "qmodel.json", quant / "qmodel.safetensors")
    folder.parent.mkdir(parents=True, exist_ok=True)
    render.render(machine, folder, config.name, digest)
    return folder


def main() -> int:
    args = arguments()
    config, board = cli.load_config(args), chosen_board(args)
    place = named(board.name, args.top, args.array, args.streams)
    folder = args.out or config.build_dir / "synth" / place
    rtl = args.rtl or config.build_dir / "rtl"
    if args.array or args.streams:
        rtl = rendered(config, args.array, args.streams, folder / "rtl")
    if not (rtl / "manifest.json").is_file():
        raise UserError(f"no rendered machine in {rtl}: run 'make rtl' first")
    manifest = json.loads((rtl / "manifest.json").read_text(encoding="utf-8"))
    line = args.top == "board"
    fit.check(manifest, board.fpga, line=line)
    begin = time.monotonic()

    def tell(line: str) -> None:
        print(f"[{time.monotonic() - begin:5.0f} s] {line}", flush=True)

    seeds = tuple(range(1, args.seeds + 1))
    top = source.BOARD_TOP if args.top == "board" else source.CORE_TOP
    job = flow.Job(rtl, board, folder, seeds, tell, top)
    sums = {
        "multipliers": fit.multipliers(manifest, board.fpga),
        "blocks": fit.block_ram(manifest, board.fpga, line=line),
    }
    result = flow.run(job)
    summary = report.build(manifest, board, sums, result)
    files.write_json(folder / "report.json", summary)
    files.write_text(folder / "report.txt", report.table(summary))
    print(report.table(summary), end="")
    if summary["status"] == "unroutable":
        print(f"unroutable with every seed; {os.path.relpath(folder)} keeps report and logs")
        return 1
    if args.bitstream:
        best = next(s for s in summary["seeds"] if s["seed"] == summary["best_seed"])
        print(f"bitstream: {os.path.relpath(flow.bitstream(job, best))}")
    if summary["status"] == "too slow":
        print(
            f"too slow: {summary['fmax_mhz']:.1f} MHz, {summary['target_mhz']:.1f} MHz are asked "
            f"for: take FREQ={int(summary['fmax_mhz'])} or another seed; "
            f"report: {os.path.relpath(folder / 'report.txt')}"
        )
        return 1
    print(f"written to {os.path.relpath(folder)}: report.txt, report.json")
    return 0


if __name__ == "__main__":
    cli.run(main)
