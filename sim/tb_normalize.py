"""normalize: position of the leading one and the bits after it; all values if they are narrow."""

import random

import cocotb
from cocotb.handle import HierarchyObject

from sim.bench import Checker, Timeline, parameters, play

LATENCY = 2


@cocotb.test()
async def normalizes(dut: HierarchyObject) -> None:
    width, frac_width = parameters()["W"], parameters()["FracW"]
    if width <= 10:
        values = list(range(1 << width))
    else:
        edges = [(1 << bit) + d for bit in range(width) for d in (-1, 0, 1)]
        values = [0, *edges, (1 << width) - 1]
        values += [random.getrandbits(width) >> random.randrange(width) for _ in range(300)]
    timeline = Timeline(data={"value": width})
    for cycle, value in enumerate(values):
        timeline.at(cycle, value=value)
    record = await play(dut, timeline, ["position_o", "fraction_o"], len(values) + LATENCY)
    check = Checker("normalize")
    for cycle, value in enumerate(values):
        position = max(value.bit_length() - 1, 0)
        fraction = (value << frac_width >> position) % (1 << frac_width)
        check.equal(f"position of {value}", position, record["position_o"][cycle + LATENCY])
        check.equal(f"fraction of {value}", fraction, record["fraction_o"][cycle + LATENCY])
    check.finish()
