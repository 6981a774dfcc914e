"""reset_sync: reset from power-up; it begins at once, and ends four edges later."""

import random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge, Timer

from sim.bench import Checker, read

HOLD = 4


@cocotb.test()
async def resets(dut: Any) -> None:
    check = Checker("reset_sync")
    dut.ok_i.value = 1
    await Timer(1, "ns")
    check.equal("rst_o at power-up", 1, read(dut.rst_o))
    Clock(dut.clk_i, 10, "ns").start(start_high=False)
    for number in range(40):
        for cycle in range(HOLD):
            check.equal(f"reset {number}, rst_o after {cycle} edges", 1, read(dut.rst_o))
            await RisingEdge(dut.clk_i)
            await FallingEdge(dut.clk_i)
        for _ in range(random.randint(1, 5)):
            check.equal(f"reset {number}, rst_o is over", 0, read(dut.rst_o))
            await FallingEdge(dut.clk_i)
        await Timer(random.randint(1, 9), "ns")
        dut.ok_i.value = 0
        await Timer(100, "ps")
        check.equal(f"reset {number}, rst_o at once", 1, read(dut.rst_o))
        await FallingEdge(dut.clk_i)
        await Timer(random.choice((1, 22, 27)), "ns")
        check.equal(f"reset {number}, rst_o as long as asked", 1, read(dut.rst_o))
        if int(dut.clk_i.value):
            await FallingEdge(dut.clk_i)
        dut.ok_i.value = 1
        await Timer(100, "ps")
    check.finish()
