"""max_tree: a new maximum every cycle; few distinct values for ties, corners, absent lanes."""

import random

import cocotb
from cocotb.handle import HierarchyObject

from sim.bench import Checker, Timeline, pack, parameters, play


@cocotb.test()
async def largest(dut: HierarchyObject) -> None:
    lanes, width = parameters()["N"], parameters()["W"]
    latency, top = ((lanes - 1).bit_length() + 1) // 2, 1 << (width - 1)
    timeline = Timeline(data={"present": lanes, "values": lanes * width})
    expected = []
    for cycle in range(500):
        pool = random.choice(([-top, top - 1], [-1, 0, 1], [-top], range(-top, top)))
        values = [random.choice(pool) for _ in range(lanes)]
        count = random.choice((lanes, random.randint(1, lanes)))
        best = values.index(max(values[:count]))
        expected.append((values[best] % (2 * top), best))
        timeline.at(cycle, present=(1 << count) - 1, values=pack(values, width))
    record = await play(dut, timeline, ["max_o", "index_o"], len(expected) + latency)
    check = Checker("max_tree")
    for cycle, (value, index) in enumerate(expected):
        check.equal(f"max_o of {cycle}", value, record["max_o"][cycle + latency])
        check.equal(f"index_o of {cycle}", index, record["index_o"][cycle + latency])
    check.finish()
