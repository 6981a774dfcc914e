"""`python -m export.soc`: the core as a part of a system, with the C header of its registers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from configs import cli, files
from export import around, registers
from export.registers import Place

TOP = "soc_top"


def _widened(port: str, streams: int) -> str:
    """One bit per stream as a byte."""
    missing = registers.STREAMS_MAX - streams
    return f"{{{missing}'d0, {port}}}" if missing else port


def _assembled(place: Place) -> str:
    """The word of a register whose fields are input ports, zeros between them."""
    parts, top = [], 0
    for port, lsb, width in place.slices("i"):
        if lsb > top:
            parts.append(f"{lsb - top}'d0")
        parts.append(port)
        top = lsb + width
    if top < 32:
        parts.append(f"{32 - top}'d0")
    return f"{{{', '.join(reversed(parts))}}}" if len(parts) > 1 else parts[0]


def register_values(streams: int, counters: int) -> dict[str, Any]:
    """What the template of the registers is filled with."""
    kinds: dict[str, list[dict]] = {"ro": [], "rw": [], "pulse": [], "w1c": []}
    everything, assigns = [], []
    for place in registers.places(streams, counters):
        access = place.register.access
        entry = {
            "name": place.name,
            "word": f"{registers.ADDR_W - 2}'d{place.address // 4}",
            "mask": f"32'h{place.mask:08X}",
            "value": _assembled(place) if access in ("ro", "w1c") else "",
            "reads": {"ro": place.name, "pulse": "32'd0"}.get(access, f"{place.name}_q"),
        }
        kinds[access].append(entry)
        everything.append(entry)
        if access != "ro":
            assigns += [
                (port, f"{place.name}_q[{lsb}+:{width}]") for port, lsb, width in place.slices("o")
            ]
    ports = []
    for access, name, width in registers.ports(streams, counters):
        if access in ("ro", "w1c"):
            ports.append(("input ", f"{name}_i", width))
        if access != "ro":
            ports.append(("output", f"{name}_o", width))
    return {
        "addr_w": registers.ADDR_W,
        "ports": ports,
        "read_only": kinds["ro"],
        "writable": kinds["rw"],
        "pulses": kinds["pulse"],
        "sticky": kinds["w1c"],
        "stored": kinds["rw"] + kinds["pulse"] + kinds["w1c"],
        "readable": everything,
        "assigns": assigns,
    }


def render(rtl: Path, out: Path) -> list[str]:
    """Write `soc_top.sv`, `soc_regs.sv`, the modules they need beside the core's, `fixformer.h` and
    `soc.f` into `out`; the names in `soc.f`, relative to `out`."""
    core = around.load(rtl)
    values = core.values()
    regs = around.template("soc_regs.sv.j2").render(
        **register_values(core.streams, values["counters"]), **values
    )
    top = around.template(f"{TOP}.sv.j2").render(
        addr_w=registers.ADDR_W,
        id=registers.ID,
        version=registers.VERSION,
        busy=_widened("core_busy", core.streams),
        closed=_widened("closed", core.streams),
        **values,
    )
    header = around.template("fixformer.h.j2").render(
        constants=registers.header(core.streams, core.counters), **values
    )
    own = around.write(out, TOP, top, sorted((around.HDL / "soc").glob("*.sv")))
    files.write_text(out / "soc_regs.sv", regs)
    files.write_text(out / "fixformer.h", header)
    names = [os.path.relpath(path, out) for path in core.files] + ["soc_regs.sv", *own]
    (out / "soc.f").write_text("\n".join(names) + "\n", encoding="utf-8")
    return names


def main() -> None:
    parser = cli.parser("export.soc", "Render the SoC top of a rendered core, and its C header.")
    parser.add_argument("--text", metavar="FILE", help="the text that the model was trained on")
    config = cli.load_config(parser.parse_args())
    out = config.build_dir / "soc"
    render(config.build_dir / "rtl", out)
    print(f"written     {out}: soc.f lists the Verilog, fixformer.h the registers")


if __name__ == "__main__":
    cli.run(main)
