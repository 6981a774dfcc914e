"""uart_tx: the line in every cycle, back to back, with pauses, and after a reset."""

import random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

from sim.bench import Checker, parameters, read

CYCLES = 1200  # at least


def levels(data: int, step: int) -> list[int]:
    """The line from the first cycle of the start bit to the last of the stop bit."""
    bits = [0, *(data >> index & 1 for index in range(8)), 1]
    ends = [-(-(index * 2**24) // step) for index in range(11)]  # rounded up to whole cycles
    return [bit for bit, a, b in zip(bits, ends[:-1], ends[1:], strict=True) for _ in range(b - a)]


@cocotb.test()
async def sends(dut: Any) -> None:
    step = parameters()["Step"]
    Clock(dut.clk_i, 10, "ns").start(start_high=False)
    check = Checker("uart_tx")
    dut.rst_i.value, dut.valid_i.value, dut.data_i.value = 1, 0, 0
    for _ in range(3):
        await FallingEdge(dut.clk_i)
    dut.rst_i.value = 0
    count = max(4, CYCLES * step // (10 * 2**24))
    for number in range(count):
        data = random.choice((0x00, 0xFF, random.getrandbits(8)))
        for _ in range(random.choice((0, 0, 5))):
            await FallingEdge(dut.clk_i)
            check.equal("idle line", 1, read(dut.tx_o))
        check.equal("ready_o", 1, read(dut.ready_o))
        dut.valid_i.value, dut.data_i.value = 1, data
        await FallingEdge(dut.clk_i)
        dut.valid_i.value, dut.data_i.value = int(random.random() < 0.5), random.getrandbits(8)
        line = levels(data, step)
        cut = random.randrange(len(line)) if number % 4 == 3 else len(line)
        for cycle, level in enumerate(line[:cut]):
            check.equal(f"byte {number} 0x{data:02x}, cycle {cycle}", level, read(dut.tx_o))
            check.equal(f"ready_o, byte {number}, cycle {cycle}", 0, read(dut.ready_o))
            if cycle == len(line) - 1:
                dut.valid_i.value = 0
            await FallingEdge(dut.clk_i)
        if cut < len(line):
            dut.rst_i.value, dut.valid_i.value = 1, 0
            await FallingEdge(dut.clk_i)
            dut.rst_i.value = 0
            check.equal("line after reset", 1, read(dut.tx_o))
    check.finish()
