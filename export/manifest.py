"""What the rendered machine is, for whoever simulates or drives it: `manifest.json`.

The part `trace` says which golden value every recorded element is: for each program step its stage
and, tile by tile, lane by lane, the index into the golden array (-1: padding).
"""

from __future__ import annotations

from statistics import mean

from export import counters, interleave, timing
from export.spec import Spec

VERSION = 4


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


def cycles_per_token(spec: Spec, predicted: dict | None) -> float:
    """Mean over the context, written with noise; of all streams together, if there are several."""
    if predicted is not None:
        return mean(token[0] for token in predicted["warm"])
    request = [interleave.Request(1, spec.geometry.context, True)]
    asked = [request] * spec.geometry.streams
    run = interleave.run(spec.qm, spec.geometry, spec.builder.steps, asked)
    return run.cycles_per_token()


def build(spec: Spec, config: str, source: str) -> dict:
    """The manifest as plain data."""
    g, qm, cycles = spec.geometry, spec.qm, predictions(spec)
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
        "streams": g.streams,
        "cycles": cycles,
        "cycles_per_token": round(cycles_per_token(spec, cycles), 3),
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
