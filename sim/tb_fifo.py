"""fifo: what goes in comes out, in order, at any idle and back-pressure; fill, full and reset."""

import random
from collections import deque
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from sim.bench import Checker, parameters, read

CYCLES = 400


@cocotb.test()
async def queues(dut: Any) -> None:
    width, depth = parameters()["W"], 1 << parameters()["LogDepth"]
    Clock(dut.clk_i, 10, "ns").start(start_high=False)
    check, inside, fills = Checker("fifo"), deque[int](), set()
    for idle, stall in ((0.0, 0.0), (0.1, 0.9), (0.9, 0.1), (0.5, 0.5)):
        for cycle in range(CYCLES):
            reset = cycle == 0 or random.random() < 0.01
            word, valid = random.getrandbits(width), random.random() >= idle
            ready = random.random() >= stall
            await FallingEdge(dut.clk_i)
            dut.rst_i.value, dut.data_i.value = int(reset), word
            dut.valid_i.value, dut.ready_i.value = int(valid), int(ready)
            await Timer(1, "ns")
            if cycle:
                check.equal(f"fill_o, cycle {cycle}", len(inside), read(dut.fill_o))
                check.equal(f"ready_o, cycle {cycle}", len(inside) < depth, read(dut.ready_o))
                check.equal(f"valid_o, cycle {cycle}", bool(inside), read(dut.valid_o))
                if inside:
                    check.equal(f"data_o, cycle {cycle}", inside[0], read(dut.data_o))
            fills.add(len(inside))
            put = valid and len(inside) < depth
            if inside and ready:
                inside.popleft()
            if put:
                inside.append(word)
            if reset:
                inside.clear()
    assert fills == set(range(depth + 1)), f"fill was never {set(range(depth + 1)) - fills}"
    check.finish()
