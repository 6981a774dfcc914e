"""delay_line: every word comes out N cycles later; with Reset, words inside are cleared."""

import random
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge, Timer

from sim.bench import Checker, parameters, read


@cocotb.test()
async def delays(dut: Any) -> None:
    width, length = parameters()["W"], parameters()["N"]
    resets = parameters().get("Reset", 0)
    cocotb.start_soon(clock(dut))
    check = Checker("delay_line")
    inside: list[int | None] = [None] * length
    for cycle in range(300):
        await FallingEdge(dut.clk_i)
        reset, word = cycle == 0 or random.random() < 0.05, random.getrandbits(width)
        dut.rst_i.value, dut.d_i.value = int(reset), word
        await Timer(1, "ns")
        expected = [*inside, word][0]
        if expected is not None:
            check.equal(f"cycle {cycle}", expected, read(dut.d_o))
        inside = [*inside, word][1:]
        if reset and resets:
            inside = [0] * length
    check.finish()


async def clock(dut: Any) -> None:
    """Ten nanoseconds, low first."""
    while True:
        dut.clk_i.value = 0
        await Timer(5, "ns")
        dut.clk_i.value = 1
        await Timer(5, "ns")
