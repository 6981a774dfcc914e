"""norm_unit: vectors of one to eight tiles, with idle cycles and resets; the result is held."""

import random

import cocotb
from cocotb.handle import HierarchyObject

from sim.bench import Checker, Record, Table, Timeline, pack, parameters, pick, play

VECTORS = 100
LUT_LATENCY = 4


def scale(total: int, table: list[int]) -> tuple[int, int]:
    """The specification: mantissa and exponent of 1/sqrt(total)."""
    k = (total.bit_length() - 1) >> 1
    cells = len(table) // 3
    return table[(total * cells >> 2 * k) - cells], k


def compare(check: Checker, record: Record, expected: dict[int, tuple[int, int]]) -> None:
    """Valid in every cycle; the latest result in all cycles that follow it."""
    held = None
    for cycle in range(1, len(record["valid_o"])):
        check.equal(f"valid_o {cycle}", int(cycle in expected), record["valid_o"][cycle])
        held = expected.get(cycle, held)
        if held is not None:
            check.equal(f"mant_o {cycle}", held[0], record["mant_o"][cycle])
            check.equal(f"exp_o {cycle}", held[1], record["exp_o"][cycle])


@cocotb.test()
async def scales(dut: HierarchyObject) -> None:
    lanes, passes, eps = (parameters()[name] for name in ("Cols", "Passes", "Eps"))
    group = lanes // passes
    latency = passes + 3 + (max(group - 1, 0).bit_length() + 1) // 2 + LUT_LATENCY
    bits = parameters().get("IndexBits", 6)
    table = [random.getrandbits(16) for _ in range(3 << bits)]
    timeline = Timeline(["valid"], {"data": lanes * 16, "first": 1, "last": 1})
    expected: dict[int, tuple[int, int]] = {}
    for _ in range(VECTORS):
        total, tiles = eps, random.randint(1, 8)
        top = random.choice((0, 1, 200, 2 ** (parameters().get("W", 16) - 1) - 1))
        for tile in range(tiles):
            x = [pick((-top, top, 0), -top, top) for _ in range(lanes)]
            total += sum(value * value for value in x)
            start = timeline.now
            timeline.at(start, valid=1, first=int(tile == 0), last=int(tile == tiles - 1))
            timeline.at(start, data=pack(x, 16))
            timeline.now += passes + random.choice((0, 0, 0, 1, 2, 7))
        expected[start + latency] = scale(total, table)
        if random.random() < 0.05:
            timeline.reset(expected)
    cycles = timeline.now + latency
    tables = [Table("table", table, bits + 2, 16)]
    record = await play(dut, timeline, ["valid_o", "mant_o", "exp_o"], cycles, tables)
    check = Checker("norm_unit")
    compare(check, record, expected)
    check.finish()
