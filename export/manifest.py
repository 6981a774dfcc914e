"""What the rendered machine is, for whoever simulates or drives it: `manifest.json`.

The part `trace` says which golden value every recorded element is: for each program step its stage
and, tile by tile, lane by lane, the index into the golden array (-1: padding).
"""

from __future__ import annotations

from export import counters, timing
from export.spec import Spec

VERSION = 3


def trace_steps(spec: Spec) -> list[dict]:
    """One entry per program step, in order."""
    result = []
    for step in spec.builder.steps:
        entry: dict = {"stage": step.stage, "elements": step.elements, "norm": step.norm}
        entry |= {"bits": step.bits, "head": step.head_index}
        result.append(entry)
    return result


def predictions(spec: Spec) -> dict | None:
    """Cycles of every token; with several streams they depend on the others."""
    if spec.geometry.streams > 1:
        return None
    return timing.predictions(timing.Machine.of(spec.qm, spec.geometry, spec.builder.steps))


def build(spec: Spec, config: str, source: str) -> dict:
    """The manifest as plain data."""
    g, qm = spec.geometry, spec.qm
    return {
        "version": VERSION,
        "config": config,
        "source": source,
        "top": "core",
        "testbench": "core_tb",
        "array": {"rows": g.rows, "cols": g.cols, "multipliers": g.rows * g.cols},
        "model": {**qm.config},
        "macs": {
            "weights": g.weight_macs(),
            "sampled": [g.macs(position) for position in range(g.context)],
            "prompt": [g.macs(position, sampled=False) for position in range(g.context)],
        },
        "counters": {"names": list(counters.NAMES), "width": counters.WIDTH},
        "cycles": predictions(spec),
        "parameters": spec.params,
        "trace": {
            "signals": [[name, bits] for name, bits in spec.traces],
            "embed_norm": "layers.0.attn_norm",
            "steps": trace_steps(spec),
        },
        "roms": {
            rom.name: {"width": rom.width, "depth": len(rom.words), "about": rom.about}
            for rom in spec.roms
        },
    }
