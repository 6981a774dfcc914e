"""cocotb side of test_runner: an adder with a register."""

import os
import random

import cocotb
from cocotb.clock import Clock
from cocotb.handle import HierarchyObject
from cocotb.triggers import FallingEdge, Timer


@cocotb.test()
async def adds(dut: HierarchyObject) -> None:
    width, offset = int(os.environ["WIDTH"]), int(os.environ["OFFSET"])
    Clock(dut.clk_i, 10, "ns").start()
    for _ in range(20):
        await FallingEdge(dut.clk_i)
        a, b = random.randrange(2**width), random.randrange(2**width)
        dut.a_i.value, dut.b_i.value = a, b
        await FallingEdge(dut.clk_i)
        assert int(dut.sum_o.value) == a + b + offset, f"a {a}, b {b}"


@cocotb.test()
async def begins(dut: HierarchyObject) -> None:
    """Prints the register before any clock edge."""
    await Timer(1, "ns")
    cocotb.log.info("begins with %s", dut.sum_o.value)
