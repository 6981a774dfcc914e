"""adder_tree: a new sum every cycle, from zeros, the largest values and random ones."""

import random

import cocotb
from cocotb.handle import HierarchyObject

from sim.bench import Checker, Timeline, pack, parameters, pick, play


@cocotb.test()
async def sums(dut: HierarchyObject) -> None:
    count, width = parameters()["N"], parameters()["W"]
    latency, top = (max(count - 1, 0).bit_length() + 1) // 2, (1 << width) - 1
    vectors = [[0] * count, [top] * count]
    vectors += [[pick((0, top), 0, top) for _ in range(count)] for _ in range(300)]
    random.shuffle(vectors)
    timeline = Timeline(data={"values": count * width})
    for cycle, vector in enumerate(vectors):
        timeline.at(cycle, values=pack(vector, width))
    record = await play(dut, timeline, ["sum_o"], len(vectors) + latency + 1)
    check = Checker("adder_tree")
    for cycle, vector in enumerate(vectors):
        if latency:
            check.equal(f"cycle {cycle}", sum(vector), record["sum_o"][cycle + latency])
        else:  # a wire: read when the next input is not there yet
            check.equal(f"cycle {cycle}", sum(vector), record["sum_o"][cycle + 1])
    check.finish()
