"""Does a machine fit a device? The sums that are known before synthesis: multipliers, block RAM.

Counted from the manifest of the rendered machine. A memory takes blocks where Yosys finds them
cheaper than logic; logic itself is known only after synthesis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from configs.cli import UserError
from configs.devices import Device
from export import board

# Yosys' memory_libmap compares costs: that of a block in the family's brams.txt, and of logic.
BLOCK_COST = {"ice40": 64}
BLOCK_COST_ELSEWHERE = 128
ACCESS_COST = 2  # beside the blocks
TABLE_BITS = 16  # for a cost of 1
PER_LANE = ("rom_exp2", "rom_bump")  # tables that every lane has for itself
# ROMs with a register behind their word, which a block of ECP5 holds: logic would be cheaper for
# the short ones, but is all over the device, and slow
REGISTERED = ("rom_weights", "rom_tok", "rom_pos", "rom_bias", "rom_shift")
REGISTERED_WORDS = 16  # more words: a table of logic for each bit holds so many
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


def _or_logic(device: Device, count: int, logic: int) -> int:
    """`count` blocks, or none where logic is as cheap."""
    cost = BLOCK_COST.get(device.family, BLOCK_COST_ELSEWHERE)
    return count if logic > cost * count + ACCESS_COST else 0


def table(device: Device, width: int, words: int) -> int:
    """Blocks of a ROM."""
    return _or_logic(device, device.count(width, words), width * words // TABLE_BITS)


def in_blocks(manifest: dict, device: Device, *, line: bool) -> list[str]:
    """ROMs that are put into blocks because there are enough, where logic would be cheaper."""
    if device.family != "ecp5":
        return []
    spare = device.blocks - sum(one.count for one in _blocks(manifest, device, (), line=line))
    result = []
    for name, rom in sorted(manifest["roms"].items()):
        width, words = rom["width"], rom["depth"]
        count = device.count(width, words)
        held = name.startswith(REGISTERED) and words > REGISTERED_WORDS
        if held and not table(device, width, words) and count <= spare:
            spare -= count
            result.append(name)
    return result


def memory(device: Device, lanes: int, element: int, words: int) -> int:
    """Blocks of a memory whose `lanes` of `element` bits are written one by one. Logic: memories of
    16 words x 4 bits for a cost of 4 and what chooses between them; on iCE40 flip-flops."""
    byte = BYTE[device.family] if lanes > 1 else 1
    count = device.count(lanes * -(-element // byte) * byte, words)
    if device.family == "ice40":
        return _or_logic(device, count, lanes * element * words)
    rows = -(-words // 16)
    choice = 5 * lanes * element * (rows - 1) // 12  # measured: tests/export/test_fit.py
    return _or_logic(device, count, 4 * lanes * -(-element // 4) * rows + choice)


def block_ram(manifest: dict, device: Device, *, line: bool = False) -> list[Sum]:
    """Blocks of the ROMs, of the KV cache, whose elements are written one by one, and of what the
    stages write for each other; with a serial `line`, of each stream's prompt and answer."""
    return _blocks(manifest, device, in_blocks(manifest, device, line=line), line=line)


def _blocks(manifest: dict, device: Device, held: Sequence[str], *, line: bool) -> list[Sum]:
    """The same, with the ROMs `held` in blocks though logic is cheaper."""
    p, sums = manifest["parameters"], {"weights": 0, "KV cache": 0, "embeddings": 0, "tables": 0}
    for name, rom in manifest["roms"].items():
        copies = p["Cols"] if name in PER_LANE else 1
        part = "weights" if name.startswith("rom_weights") else "tables"
        part = "embeddings" if name in ("rom_tok", "rom_pos") else part
        count = device.count if name in held else partial(table, device)
        sums[part] += copies * count(rom["width"], rom["depth"])
    banks = p["Rows"] * p["Sub"]
    written = (  # copies, and each one's lanes, bits and words
        ("KV cache", p["Rows"], p["Cols"], p["KvW"], p["KvDepth"]),
        ("operands", banks, 1, p["ActW"], p["OpWords"]),
        ("probabilities", banks, 1, p["ProbW"], p["ProbWords"]),
        ("residual", 1, 1, p["Cols"] * p["ResidualW"], p["Streams"] * p["XTiles"]),
        ("scores", 1, 1, p["Cols"] * 16, p["SoftSlots"] * p["ScoreTiles"]),
        ("noise", p["Cols"], 1, p["NoiseW"], p["Streams"] * p["LogitTiles"]),
        ("prompts", line * p["Streams"], 1, 16, 1 << board.log_prompt(p["Context"])),
        ("answers", line * p["Streams"], 1, 16, 1 << board.LOG_ANSWER),
    )
    for part, copies, *shape in written:
        sums[part] = copies * memory(device, *shape)
    return [Sum(part, count) for part, count in sums.items() if count]


def multipliers(manifest: dict, device: Device) -> list[Sum]:
    """Multipliers of the array, of the lanes behind it, of norm, rotation and noise.

    A product whose factors a block does not hold is built of logic, and not counted.
    """
    p = manifest["parameters"]

    def held(count: int, a: int, b: int) -> int:
        wide, narrow = max(device.factors), min(device.factors)
        return count if max(a, b) <= wide and min(a, b) <= narrow else 0

    act, weight, residual = p["ActW"], max(p["WeightW"], p["KvW"]), p["ResidualW"]
    rotated = 2 * p["Cols"] // p["RopePasses"] if p["Rope"] else 0
    sums = {
        "array": held(p["Rows"] * p["Cols"], act, weight),
        "requantiser": held(p["Cols"], *REQUANTISE),
        "norm": held(p["Cols"] // p["NormPasses"], residual, residual),
        "rotation": held(rotated, 16, 16),
        "noise": held(1, 17, 16),
    }
    return [Sum(part, count) for part, count in sums.items() if count]


def _refusal(what: str, sums: list[Sum], limit: int, device: Device) -> str | None:
    total = sum(one.count for one in sums)
    if total <= limit:
        return None
    terms = " + ".join(f"{one.count} {one.part}" for one in sums)
    return f"{what} {terms} = {total}, {device.name} has {limit}"


def check(manifest: dict, device: Device, *, line: bool = False) -> None:
    """Raise UserError with the sums, unless the machine fits, with a serial `line` or without."""
    problems = [
        _refusal("multipliers", multipliers(manifest, device), device.multipliers, device),
        _refusal("block RAM", block_ram(manifest, device, line=line), device.blocks, device),
    ]
    if found := [problem for problem in problems if problem]:
        raise UserError(
            f"does not fit: {'; '.join(found)}: take a smaller array, model or another device"
        )


def check_netlist(manifest: dict, device: Device, left: int) -> None:
    """Raise UserError if a netlist with `left` multipliers has lost some of the machine's, as a
    synthesiser's mistake would; for families whose multiplier is an instance."""
    wanted = sum(one.count for one in multipliers(manifest, device))
    if left < wanted:
        raise UserError(f"synthesis lost a part: {left} of {wanted} multipliers are left")
