"""`python -m export`: Verilog of a quantised model into build/<config>/rtl."""

from __future__ import annotations

from configs import cli, files
from export import render, spec
from quant import qmodel


def main() -> None:
    parser = cli.parser("export", "Render the Verilog of a quantised model: ROMs, datapath, top.")
    parser.add_argument("--text", metavar="FILE", help="the text that the model was trained on")
    cli.add_streams(parser)
    config = cli.load_config(parser.parse_args())
    source = config.build_dir / "quant"
    qm = qmodel.load(source)
    hardware = config.hardware
    machine = spec.build(qm, hardware.rows, hardware.cols, hardware.streams)
    digest = files.sha256(source / "qmodel.json", source / "qmodel.safetensors")
    out = config.build_dir / "rtl"
    render.render(machine, out, config.name, digest)
    g, p = machine.geometry, machine.params
    print(f"array       {g.rows} x {g.cols} = {g.rows * g.cols} multipliers")
    if g.streams > 1:
        print(f"streams     {g.streams}, each with {g.kv_depth} words of KV cache in every row")
    print(f"widths      accumulator {p['AccW']}, weights {p['WeightW']}, KV cache {p['KvW']} bits")
    bits = sum(rom.width * len(rom.words) for rom in machine.roms)
    print(f"memory      {bits / 1024:.0f} kbit of ROM in {len(machine.roms)} modules")
    print(f"program     {len(machine.builder.steps)} steps")
    print(f"floor       {g.weight_macs() / (g.rows * g.cols):.0f} cycles a token before attention")
    print(f"written     {out}")


if __name__ == "__main__":
    cli.run(main)
