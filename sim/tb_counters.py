"""counters: random cycles with clears and resets, against a list of what every cycle was."""

import random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from sim.bench import RESET_CYCLES, Checker, parameters, read

CYCLES = 3000
CAUSES = "issued operand gate noise fetch host idle".split()
LATENCY = 2  # cycles until a cycle is counted


def cause(issue: int, loaded: int, ready: int, noise: int, running: int, host: int) -> int:
    """What the cycle is spent on: the first that holds."""
    if issue:
        name = "issued"
    elif loaded:
        name = "operand" if not ready else "noise" if noise else "gate"
    else:
        name = "fetch" if running else "host" if host else "idle"
    return CAUSES.index(name)


@cocotb.test()
async def counts(dut: Any) -> None:
    width, check = parameters()["W"], Checker("counters")
    counted: list[tuple[int, int]] = []  # (cycle, cause) since the last clear
    inputs = "issue loaded ready noise running host".split()
    Clock(dut.clk_i, 10, "ns").start(start_high=False)
    for cycle in range(CYCLES):
        await FallingEdge(dut.clk_i)
        reset, clear = cycle < RESET_CYCLES or random.random() < 0.003, random.random() < 0.003
        values = {name: int(random.random() < 0.4) for name in inputs}
        values["issue"] &= values["loaded"]
        busy = random.random() < 0.8
        for name, value in (values | {"rst": reset, "clear": clear, "busy": busy}).items():
            getattr(dut, f"{name}_i").value = int(value)
        await Timer(1, "ns")
        now = cause(**values)
        check.equal(f"cause_o {cycle} of {values}", now, read(dut.cause_o))
        if cycle >= RESET_CYCLES:
            seen = [one for at, one in counted if at <= cycle - LATENCY]
            totals = [len(seen), *(seen.count(number) for number in range(len(CAUSES)))]
            found = read(dut.counters_o)
            wanted = [total % (1 << width) for total in totals]
            check.lanes(f"counters_o {cycle}", wanted, found, width)
            assert sum(totals[1:]) == totals[0]
        if reset or clear:
            counted = []
        elif busy:
            counted.append((cycle, now))
    check.finish()
