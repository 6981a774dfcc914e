"""mul: exact products of corners and random factors (all factors if they are narrow)."""

import itertools
import random

import cocotb
from cocotb.handle import HierarchyObject

from sim.bench import Checker, Timeline, parameters, play

LATENCY = 3


def factors(width: int) -> list[int]:
    """Every value of a narrow factor, corners and random values of a wide one."""
    top = 1 << (width - 1)
    if width <= 5:
        return list(range(-top, top))
    return [-top, 1 - top, -1, 0, 1, top - 1, *(random.randrange(-top, top) for _ in range(20))]


@cocotb.test()
async def products(dut: HierarchyObject) -> None:
    a_width, b_width = parameters()["AW"], parameters()["BW"]
    pairs = list(itertools.product(factors(a_width), factors(b_width)))
    timeline = Timeline(data={"a": a_width, "b": b_width})
    for cycle, (a, b) in enumerate(pairs):
        timeline.at(cycle, a=a, b=b)
    record = await play(dut, timeline, ["p_o"], len(pairs) + LATENCY)
    check = Checker("mul")
    for cycle, (a, b) in enumerate(pairs):
        product = (a * b) & ((1 << (a_width + b_width)) - 1)
        check.equal(f"{a} * {b}", product, record["p_o"][cycle + LATENCY])
    check.finish()
