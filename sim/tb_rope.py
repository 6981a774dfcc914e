"""rope: tiles as close as allowed and with idle cycles, turned or bypassed, every output
width; resets in between."""

import random

import cocotb
from cocotb.handle import HierarchyObject

from sim.bench import Checker, Timeline, pack, parameters, pick, play, round_shift, saturate

TILES = 250
ONE = 1 << 14


def reference(z: list[int], cos: list[int], sin: list[int], bits: int) -> list[int]:
    """The specification, pair by pair."""
    turned = []
    for pair, (c, s) in enumerate(zip(cos, sin, strict=True)):
        even, odd = z[2 * pair], z[2 * pair + 1]
        turned += [even * c - odd * s, even * s + odd * c]
    turned += [0] * (len(z) % 2)  # a lane without a partner
    return [saturate(round_shift(value, 14), bits) for value in turned]


@cocotb.test()
async def turns(dut: HierarchyObject) -> None:
    lanes, passes, width = parameters()["C"], parameters()["Passes"], parameters().get("W", 16)
    latency, top = passes + 5, (1 << (width - 1)) - 1
    factors = lanes // 2 * 16
    data = {"data": lanes * width, "cos": factors, "sin": factors, "bypass": 1, "out_bits": 5}
    timeline, expected = Timeline(["tile_valid"], data), {}
    for _ in range(TILES):
        z = [pick((-top, top, 0), -top, top) for _ in range(lanes)]
        cos, sin = ([pick((-ONE, ONE, 0), -ONE, ONE) for _ in range(lanes // 2)] for _ in "cs")
        bits, bypass = pick((2, width), 2, width), random.random() < 0.3
        if lanes % 2 and not bypass:
            z[-1] = 0
        start = timeline.now
        timeline.at(start, tile_valid=1, data=pack(z, width), bypass=int(bypass), out_bits=bits)
        timeline.at(start, cos=pack(cos, 16), sin=pack(sin, 16))
        expected[start + latency] = z if bypass else reference(z, cos, sin, bits)
        timeline.now += passes + random.choice((0, 0, 0, 1, 2, 7))
        if random.random() < 0.03:
            timeline.reset(expected)
    cycles = timeline.now + latency
    record = await play(dut, timeline, ["valid_o", "data_o"], cycles)
    check = Checker("rope")
    for cycle in range(1, cycles):
        check.equal(f"valid_o {cycle}", int(cycle in expected), record["valid_o"][cycle])
        if cycle in expected:
            check.lanes(f"data_o {cycle}", expected[cycle], record["data_o"][cycle], width)
    check.finish()
