"""tile_address: vectors of many tiles from any place, idle cycles; outputs follow at once."""

import random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from sim.bench import Checker, parameters, read

VECTORS = 80


@cocotb.test()
async def counts(dut: Any) -> None:
    width, groups = parameters()["WordW"], parameters()["Groups"]
    Clock(dut.clk_i, 10, "ns").start(start_high=False)
    check = Checker("tile_address")
    for vector in range(VECTORS):
        base = random.randrange(1 << width), random.randrange(groups)
        for tile in range(random.randint(1, 3 * groups + 2)):
            for idle in [*[True] * random.choice((0, 0, 1, 3)), False]:
                await FallingEdge(dut.clk_i)
                first = random.random() < 0.5 if idle else tile == 0
                dut.valid_i.value, dut.first_i.value = int(not idle), int(first)
                here = base if not idle and first else (random.getrandbits(width), 0)
                dut.base_word_i.value, dut.base_group_i.value = here
            await Timer(1, "ns")
            word, group = divmod(base[0] * groups + base[1] + tile, groups)
            check.equal(f"word_o {vector}/{tile}", word % (1 << width), read(dut.word_o))
            check.equal(f"group_o {vector}/{tile}", group, read(dut.group_o))
    check.finish()
