"""status_leds: an event of one cycle shows for one to two beats, levels show as they are."""

import random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from sim.bench import Checker, parameters, read

EVENTS = ("received_i", "sent_i", "refused_i", "failed_i")


@cocotb.test()
async def shows(dut: Any) -> None:
    beat = 1 << parameters()["LogHold"]
    Clock(dut.clk_i, 10, "ns").start(start_high=False)
    check, age = Checker("status_leds"), dict.fromkeys(EVENTS, 10 * beat)
    dut.rst_i.value = 1
    for name in (*EVENTS, "busy_i", "line_i"):
        getattr(dut, name).value = 0
    for _ in range(2):
        await FallingEdge(dut.clk_i)
    check.equal("leds_o in reset, line low", 0b10000000, read(dut.leds_o))
    dut.rst_i.value = 0
    for cycle in range(40 * beat):
        busy, line = random.getrandbits(1), random.getrandbits(1)
        dut.busy_i.value, dut.line_i.value = busy, line
        for name in EVENTS:
            event = random.random() < 0.1 / beat
            getattr(dut, name).value = int(event)
            age[name] = 0 if event else age[name] + 1
        await FallingEdge(dut.clk_i)
        dut.rst_i.value = 0
        await Timer(1, "ns")
        leds = int(read(dut.leds_o))
        check.equal(f"heartbeat, cycle {cycle}", (cycle + 1) // (4 * beat) & 1, leds & 1)
        check.equal(
            f"busy, line and reset, cycle {cycle}", 2 * busy + 64 + 128 * (1 - line), leds & 0xC2
        )
        for bit, name in enumerate(EVENTS):
            if age[name] < beat or age[name] > 2 * beat:
                lit = leds >> (bit + 2) & 1
                check.equal(f"{name} {age[name]} cycles ago, cycle {cycle}", age[name] < beat, lit)
    check.finish()
