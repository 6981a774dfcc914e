"""`python -m export.synth.project`: a project for the vendor's own tool, Vivado or Quartus.

Scripts and constraints beside the same sources that the open tools read. They are rendered for
users who have those tools; no test runs them.
"""

from __future__ import annotations

import json
import os

from configs import boards, cli
from configs.cli import UserError
from export import around
from export.synth import fit, source

SCRIPTS = {"xilinx7": ("vivado.tcl", "pins.xdc"), "cyclonev": ("quartus.tcl", "pins.sdc")}


def main() -> None:
    parser = cli.parser("export.synth.project", "Write a project for Vivado or Quartus.")
    parser.add_argument("--text", metavar="FILE", help="the text that the model was trained on")
    known = [name for name in boards.available() if boards.load(name).fpga.family in SCRIPTS]
    parser.add_argument("--board", default=known[0], help=f"one of {', '.join(known)}")
    args = parser.parse_args()
    config, board = cli.load_config(args), boards.load(args.board)
    if board.name not in known:
        raise UserError(f"--board {board.name}: 'make synth' serves it; here: {', '.join(known)}")
    rtl = config.build_dir / "rtl"
    if not (rtl / "manifest.json").is_file():
        raise UserError(f"no rendered machine in {rtl}: run 'make rtl' first")
    manifest = json.loads((rtl / "manifest.json").read_text(encoding="utf-8"))
    fit.check(manifest, board.fpga, line=True)
    folder = config.build_dir / "project" / board.name
    made = source.write(rtl, board, folder)
    values = {"config": config.name, "board": board, "pins": source.pins(board)}
    for name in SCRIPTS[board.fpga.family]:
        text = around.template(f"{name}.j2")
        rendered = text.render(top=made.top, verilog=made.verilog, **values)
        (folder / name).write_text(rendered, encoding="utf-8")
    script = SCRIPTS[board.fpga.family][0]
    print(f"written to {os.path.relpath(folder)}: {script}, not run here")


if __name__ == "__main__":
    cli.run(main)
