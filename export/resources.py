"""What a machine takes of an FPGA: multipliers, and blocks of RAM for its large memories.

Counted from the program and the geometry, so no model has to be trained. The memories are those
that `quant.banks` counts: biases, shifts, function tables, operands and the program are shallow and
take logic or a few blocks more.
"""

from __future__ import annotations

from configs.devices import Device
from export import spec
from export.geometry import Geometry
from export.program import Builder
from quant.qmodel import QuantModel


def multipliers(g: Geometry) -> dict[str, int]:
    """Multipliers of at most 18 x 18 bits, by where they are."""
    return {
        "array": g.rows * g.cols,
        "requantise": g.cols,
        "norm": g.cols // g.norm_passes,
        "rotation": 2 * g.cols // g.rope_passes if g.rotary else 0,
        "noise": 1,
    }


def memories(qm: QuantModel, g: Geometry, builder: Builder, weight_bits: int) -> list[tuple]:
    """(name, how many, width, words) of each large memory, the widest weights of `weight_bits`."""
    residual = g.cols * qm.residual_bits
    found: list[tuple] = [
        ("weights", g.rows, g.cols * weight_bits, builder.weight_words),
        ("token embedding", 1, residual, g.vocab * g.tiles(g.d_model)),
        ("KV cache", g.rows, g.cols * spec.kv_width(qm), g.streams * g.kv_depth),
    ]
    if not g.rotary:
        found.append(("positions", 1, residual, g.context * g.tiles(g.d_model)))
    return found


def blocks(device: Device, found: list[tuple]) -> dict[str, int]:
    """Blocks of RAM of each memory."""
    return {name: copies * device.count(width, words) for name, copies, width, words in found}
