"""round_robin: the next request behind the one served last, in a circle."""

import random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from sim.bench import Checker, parameters, read


@cocotb.test()
async def turns(dut: Any) -> None:
    count = parameters()["N"]
    Clock(dut.clk_i, 10, "ns").start(start_high=False)
    check, last = Checker("round_robin"), count - 1
    for cycle in range(600):
        reset, take = cycle == 0 or random.random() < 0.02, random.random() < 0.7
        wanted = [random.random() < random.choice((0.1, 0.5, 0.9)) for _ in range(count)]
        await FallingEdge(dut.clk_i)
        dut.rst_i.value, dut.take_i.value = int(reset), int(take)
        dut.request_i.value = sum(bit << index for index, bit in enumerate(wanted))
        await Timer(1, "ns")
        order = [*range(last + 1, count), *range(last + 1)]
        choice = next((index for index in order if wanted[index]), None)
        if cycle:
            check.equal(f"any_o, cycle {cycle}", choice is not None, read(dut.any_o))
            if choice is not None:
                check.equal(f"index_o, cycle {cycle}", choice, read(dut.index_o))
        if choice is not None and take:
            last = choice
        if reset:
            last = count - 1
    check.finish()
