"""sum_squares: vectors of one to eight tiles, back to back with idle cycles, with resets."""

import random

import cocotb
from cocotb.handle import HierarchyObject

from sim.bench import Checker, Timeline, pack, parameters, pick, play

VECTORS = 100


@cocotb.test()
async def sums(dut: HierarchyObject) -> None:
    lanes, passes, width = (parameters()[name] for name in ("C", "Passes", "SumW"))
    group = lanes // passes
    latency = passes + 3 + (max(group - 1, 0).bit_length() + 1) // 2
    bits = parameters().get("W", 16)
    top, eps = 2 ** (bits - 1) - 1, random.choice((1, random.getrandbits(min(30, width - 1))))
    data = {"data": lanes * bits, "first": 1, "last": 1}
    timeline, expected = Timeline(["tile_valid", "eps"], data), {}
    for _ in range(VECTORS):
        total, tiles = eps, random.randint(1, 8)
        for tile in range(tiles):
            x = [pick((-top, top, 0), -top, top) for _ in range(lanes)]
            total += sum(value * value for value in x)
            start = timeline.now
            timeline.at(start, tile_valid=1, data=pack(x, bits))
            timeline.at(start, first=int(tile == 0), last=int(tile == tiles - 1))
            timeline.now += passes + random.choice((0, 0, 0, 1, 2, 7))
        expected[start + latency] = total
        if random.random() < 0.05:  # also in the middle of a tile
            timeline.now = random.randint(start + 1, timeline.now)
            timeline.reset(expected)
    cycles = timeline.now + latency
    for cycle in range(cycles):
        timeline.at(cycle, eps=eps)
    record = await play(dut, timeline, ["valid_o", "sum_o"], cycles)
    check = Checker("sum_squares")
    for cycle in range(1, cycles):
        check.equal(f"valid_o {cycle}", int(cycle in expected), record["valid_o"][cycle])
        if cycle in expected:
            assert expected[cycle] < 1 << width
            check.equal(f"sum_o {cycle}", expected[cycle], record["sum_o"][cycle])
    check.finish()
