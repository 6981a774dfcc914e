"""What tops around the core (board, SoC) know of it: the manifest of a rendered machine."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from configs.cli import UserError

HDL = Path(__file__).parent.parent / "hdl"
TEMPLATES = Path(__file__).parent / "templates"
MODEL_DIGITS = 8  # of the artefact's digest, told to a host


@dataclass(frozen=True)
class Core:
    """The rendered core in a folder, seen from outside."""

    rtl: Path
    config: str
    source: str  # digest of the artefact
    streams: int
    vocab: int
    context: int
    counters: tuple[str, ...]
    traces: tuple[tuple[str, int], ...]  # name, width

    @property
    def model(self) -> int:
        """32 bits by which a host knows the model."""
        return int(self.source[:MODEL_DIGITS], 16)

    @property
    def files(self) -> list[Path]:
        """The core's Verilog."""
        return [self.rtl / name for name in (self.rtl / "files.f").read_text().split()]

    def values(self) -> dict[str, Any]:
        """What every template of a top needs."""
        traces, trace_w = [], 0
        for name, width in self.traces:
            traces.append(f"trace_{name}_o(trace[{trace_w}+:{width}])")
            trace_w += width
        return {
            "config": self.config,
            "source": self.source[:16],
            "s": self.streams,
            "vocab": self.vocab,
            "context": self.context,
            "model": self.model,
            "counters": len(self.counters),
            "trace_ports": traces,
            "trace_w": trace_w,
        }


def load(rtl: Path) -> Core:
    """The core that `python -m export` rendered into `rtl`; UserError if there is none."""
    path = rtl / "manifest.json"
    if not path.is_file():
        raise UserError(f"no Verilog in {rtl}: run 'make rtl'")
    manifest = json.loads(path.read_text(encoding="utf-8"))
    return Core(
        rtl=rtl,
        config=manifest["config"],
        source=manifest["source"],
        streams=int(manifest["parameters"].get("Streams", 1)),
        vocab=int(manifest["parameters"]["Vocab"]),
        context=int(manifest["parameters"]["Context"]),
        counters=tuple(manifest["counters"]["names"]),
        traces=tuple((name, width) for name, width in manifest["trace"]["signals"]),
    )


def template(name: str) -> Any:
    """A template that refuses a misspelt value."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
    )
    return environment.get_template(name)


def write(out: Path, top: str, text: str, modules: list[Path]) -> list[str]:
    """Put `<top>.sv` and the hand-written `modules` into `out`; their names."""
    out.mkdir(parents=True, exist_ok=True)
    names = []
    for module in modules:
        shutil.copyfile(module, out / module.name)
        names.append(module.name)
    (out / f"{top}.sv").write_text(text, encoding="utf-8")
    return [*names, f"{top}.sv"]
