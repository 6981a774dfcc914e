"""max4: every choice of four narrow values, with three, two, one or none of them absent."""

import itertools

import cocotb
from cocotb.handle import HierarchyObject

from sim.bench import Checker, Timeline, pack, parameters, play


@cocotb.test()
async def largest(dut: HierarchyObject) -> None:
    width, index_width = parameters()["W"], parameters()["IndexW"]
    top = 1 << (width - 1)
    choices = itertools.product(*[range(-top, top)] * 4, range(1, 5))
    timeline = Timeline(data={"present": 3, "values": 4 * width, "indices": 4 * index_width})
    expected = []
    for cycle, (*values, count) in enumerate(choices):
        indices = [(cycle + lane) % (1 << index_width) for lane in range(4)]
        best = max(range(count), key=lambda lane: values[lane])  # the first of equals
        expected.append((values[best] % (2 * top), indices[best]))
        timeline.at(
            cycle,
            present=(1 << (count - 1)) - 1,
            values=pack(values, width),
            indices=pack(indices, index_width),
        )
    record = await play(dut, timeline, ["max_o", "index_o"], len(expected) + 1)
    check = Checker("max4")
    for cycle, (value, index) in enumerate(expected):
        check.equal(f"max_o {cycle}", value, record["max_o"][cycle + 1])
        check.equal(f"index_o {cycle}", index, record["index_o"][cycle + 1])
    check.finish()
