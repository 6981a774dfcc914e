"""Does a machine fit a device? The sums that are known before synthesis: multipliers, block RAM.

Counted from the manifest of the rendered machine. Shallow memories are left out, since synthesis
puts them into logic; logic itself is known only after synthesis.
"""

from __future__ import annotations

from dataclasses import dataclass

from configs.cli import UserError
from configs.devices import Device

SHALLOW = 2048  # bits; a memory below this is taken for logic
PER_LANE = ("rom_exp2", "rom_bump")  # tables that every lane has for itself
BYTE = {
    "ecp5": 9,
    "gowin": 9,
    "xilinx7": 9,
    "ice40": 1,
    "cyclonev": 10,
}  # bits of a block written by themselves
REQUANTISE = (18, 17)  # factors of a lane of the requantiser


@dataclass(frozen=True)
class Sum:
    """What one part of the machine takes."""

    part: str
    count: int


def _blocks(device: Device, width: int, words: int) -> int:
    return device.count(width, words) if width * words > SHALLOW else 0


def block_ram(manifest: dict, device: Device) -> list[Sum]:
    """Blocks of the ROMs and of the KV cache, whose elements are written one by one."""
    p, sums = manifest["parameters"], {"weights": 0, "KV cache": 0, "embeddings": 0, "tables": 0}
    for name, rom in manifest["roms"].items():
        copies = p["Cols"] if name in PER_LANE else 1
        part = "weights" if name.startswith("rom_weights") else "tables"
        part = "embeddings" if name in ("rom_tok", "rom_pos") else part
        sums[part] += copies * _blocks(device, rom["width"], rom["depth"])
    byte = BYTE[device.family]
    element = -(-p["KvW"] // byte) * byte
    sums["KV cache"] += p["Rows"] * _blocks(device, p["Cols"] * element, p["KvDepth"])
    return [Sum(part, count) for part, count in sums.items() if count]


def multipliers(manifest: dict, device: Device) -> list[Sum]:
    """Multipliers of the array, of the lanes behind it, of norm, rotation and noise.

    A product whose factors a block does not hold is built of logic, and not counted.
    """
    p = manifest["parameters"]

    def blocks(count: int, a: int, b: int) -> int:
        wide, narrow = max(device.factors), min(device.factors)
        return count if max(a, b) <= wide and min(a, b) <= narrow else 0

    act, weight, residual = p["ActW"], max(p["WeightW"], p["KvW"]), p["ResidualW"]
    rotated = 2 * p["Cols"] // p["RopePasses"] if p["Rope"] else 0
    sums = {
        "array": blocks(p["Rows"] * p["Cols"], act, weight),
        "requantiser": blocks(p["Cols"], *REQUANTISE),
        "norm": blocks(p["Cols"] // p["NormPasses"], residual, residual),
        "rotation": blocks(rotated, 16, 16),
        "noise": blocks(1, 17, 16),
    }
    return [Sum(part, count) for part, count in sums.items() if count]


def _refusal(what: str, sums: list[Sum], limit: int, device: Device) -> str | None:
    total = sum(one.count for one in sums)
    if total <= limit:
        return None
    terms = " + ".join(f"{one.count} {one.part}" for one in sums)
    return f"{what} {terms} = {total}, {device.name} has {limit}"


def check(manifest: dict, device: Device) -> None:
    """Raise UserError with the sums, unless the machine fits."""
    problems = [
        _refusal("multipliers", multipliers(manifest, device), device.multipliers, device),
        _refusal("block RAM", block_ram(manifest, device), device.blocks, device),
    ]
    if found := [problem for problem in problems if problem]:
        raise UserError(
            f"does not fit: {'; '.join(found)}: take a smaller array, model or another device"
        )
