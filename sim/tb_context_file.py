"""context_file: random writes and reads, also of one word in one cycle; zero before the first."""

import random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from sim.bench import Checker, parameters, read

CYCLES = 400


@cocotb.test()
async def keeps(dut: Any) -> None:
    p, check = parameters(), Checker("context_file")
    Clock(dut.clk_i, 10, "ns").start(start_high=False)
    words = [0] * p["Words"]
    for cycle in range(CYCLES):
        await FallingEdge(dut.clk_i)
        write, value = int(cycle > p["Words"] and random.random() < 0.5), random.getrandbits(p["W"])
        at, where = random.randrange(p["Words"]), random.randrange(p["Words"])
        where = random.choice((at, where)) if cycle > p["Words"] else cycle % p["Words"]
        dut.we_i.value, dut.waddr_i.value, dut.wdata_i.value = write, at, value
        dut.addr_i.value = where
        await Timer(1, "ns")
        check.equal(f"word {where}, cycle {cycle}", words[where], read(dut.data_o))
        dut.addr_i.value = at
        await Timer(1, "ns")
        check.equal(f"word {at}, later in cycle {cycle}", words[at], read(dut.data_o))
        if write:
            words[at] = value
    check.finish()
