"""Spec to files: templates, static modules by reference, memory images, manifest; all at once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from configs import files
from export import counters, manifest
from export.spec import Spec

ROOT = Path(__file__).parent.parent
HDL = ROOT / "hdl"
TEMPLATES = Path(__file__).parent / "templates"
AROUND = ("board", "soc")  # folders of what connects a core, which other tops need
LAST_PARTS = ("roms", "trace")


class Params:
    """Parameters by attribute, so that a template that misspells one fails."""

    def __init__(self, values: dict[str, int]) -> None:
        self.__dict__.update(values)


def packed_range(bits: int) -> str:
    """The range of a port, none for a single bit."""
    return "" if bits == 1 else f"[{bits - 1}:0] "


def static_modules() -> list[Path]:
    """All hand-written modules of the core, in a fixed order; not those around it."""
    return sorted(path for path in HDL.glob("*/*.sv") if path.parent.name not in AROUND)


def summary(spec: Spec) -> str:
    c = spec.qm.config
    return (
        f"{c['n_layers']} layers, d_model {c['d_model']}, {c['n_heads']} heads, FFN {c['d_ff']}, "
        f"context {c['context']}, vocabulary {c['vocab_size']}"
    )


def render(spec: Spec, path: Path, config: str, source: str) -> None:
    """Write the folder `path` whole: rendered and static RTL, ROM images, file list, manifest."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=False,
        keep_trailing_newline=True,
        autoescape=False,
    )
    shared = {"config": config, "source": source[:16], "p": Params(spec.params)}
    issue_w = sum(field.width for field in spec.issue_fields)
    finish_w = sum(field.width for field in spec.finish_fields)
    weight_addr_w = next(rom for rom in spec.roms if rom.name == "rom_weights_0").addr_width
    counters_w = len(counters.NAMES) * counters.WIDTH
    kind = "single" if spec.params["Streams"] == 1 else "streams"
    packed = {n: packed_range(n * spec.params["Streams"]) for n in (1, 16, 32)}
    streams = range(spec.params["Streams"])
    suffixes = [f"_{number}" if len(streams) > 1 else "" for number in streams]
    designs: dict[str, dict[str, Any]] = {
        "array": {"weight_addr_w": weight_addr_w, "lanes": spec.geometry.row_lanes()},
        "core": {
            "counters_w": counters_w,
            "summary": summary(spec),
            "issue_w": issue_w,
            "finish_w": finish_w,
            "issue_fields": spec.issue_fields,
            "finish_fields": spec.finish_fields,
            "instances": spec.instances,
            "absent": spec.absent,
            "traces": spec.traces,
            "packed": packed,
            "context_files": spec.context_files,
            "parts": ["wires", kind, "array", "vector", "embed", "units", "sampler", *LAST_PARTS],
        },
        "core_tb": {"traces": spec.traces, "counters_w": counters_w, "suffixes": suffixes},
    }
    with files.staged_dir(path) as stage:
        names = []
        for module in static_modules():
            shutil.copyfile(module, stage / module.name)
            names.append(module.name)
        rom_template = environment.get_template("rom.sv.j2")
        for rom in spec.roms:
            text = rom_template.render(
                name=rom.name,
                about=rom.about.capitalize(),
                width=rom.width,
                depth=len(rom.words),
                addr_width=rom.addr_width,
                **shared,
            )
            (stage / f"{rom.name}.sv").write_text(text, encoding="utf-8")
            (stage / f"{rom.name}.hex").write_text(rom.hex(), encoding="ascii")
            names.append(f"{rom.name}.sv")
        for name, values in designs.items():
            text = environment.get_template(f"{name}.sv.j2").render(**shared, **values)
            (stage / f"{name}.sv").write_text(text, encoding="utf-8")
            if name != "core_tb":
                names.append(f"{name}.sv")
        (stage / "files.f").write_text("\n".join(names) + "\n", encoding="ascii")
        data = manifest.build(spec, config, source)
        text = json.dumps(data, sort_keys=True, separators=(",", ":")) + "\n"
        (stage / "manifest.json").write_text(text, encoding="utf-8")
