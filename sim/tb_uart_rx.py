"""uart_rx: all phases of the clock, +-2 % of the bit rate; glitches, breaks, bad stops."""

import random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge, Timer

from sim.bench import Checker, parameters
from sim.serial_line import PS, Sender

PERIOD_NS = 16
PHASES = 8  # of a cycle, at which bytes begin
ERRORS = (-0.02, 0.0, 0.02)  # of the sender's clock
Event = tuple[str, int]


async def bytes_of(dut: Any, events: list[Event]) -> None:
    """Note every byte."""
    while True:
        await RisingEdge(dut.valid_o)
        await FallingEdge(dut.clk_i)
        events.append(("byte", int(dut.data_o.value)))


async def errors_of(dut: Any, events: list[Event]) -> None:
    """Note every error and break."""
    while True:
        await RisingEdge(dut.error_o)
        await FallingEdge(dut.clk_i)
        events.append(("break" if str(dut.break_o.value) == "1" else "error", 0))


@cocotb.test()
async def receives(dut: Any) -> None:
    bit = PERIOD_NS * 2**24 / parameters()["Step"]
    Clock(dut.clk_i, PERIOD_NS, "ns", impl="gpi").start(start_high=False)
    events: list[Event] = []
    expected: list[Event] = []
    dut.rx_i.value, dut.rst_i.value = 1, 1
    await ClockCycles(dut.clk_i, 8)
    dut.rst_i.value = 0
    watchers = [cocotb.start_soon(watch(dut, events)) for watch in (bytes_of, errors_of)]

    async def say(data: list[int], line: Sender) -> None:
        await line.send(data)
        expected.extend(("byte", byte) for byte in data)

    for error in ERRORS:
        line = Sender(dut.rx_i, bit / (1 + error))
        for phase in range(PHASES):
            await RisingEdge(dut.clk_i)
            await Timer(PERIOD_NS * PS * phase // PHASES + 1, "ps")
            await say([*random.choices((0x00, 0xFF, 0x55, 0xAA), k=2), random.getrandbits(8)], line)
            await line.level(1, random.choice((0.0, 0.3, 1.7)))
    line = Sender(dut.rx_i, bit)
    # a pulse shorter than a cycle, at idle: nothing
    await line.level(1, 2)
    await line.level(0, 0.9 * PERIOD_NS / bit)
    await line.level(1, 2)
    # a start bit that is high in its middle: nothing
    await line.level(0, 0.35)
    await line.level(1, 2)
    await say([0x3C], line)
    # a byte without a stop bit: an error; the line must be high before the next byte
    await line.byte(0xA5, stop=0)
    expected.append(("error", 0))
    await line.level(0, 3)
    await line.level(1, 1)
    await say([0x00, 0x81], line)
    # a break of any length: one event
    await line.level(0, 40)
    expected.append(("break", 0))
    await line.level(1, 2)
    await say([0x7E], line)
    # noise: whatever it was, the next byte comes right
    before = len(events)
    for _ in range(4):
        await line.level(1, 1)
        assert events[before:] == expected[before:], f"{expected[before:]} became {events[before:]}"
        await line.noise(60)
        expected[:] = events
        before = len(events)
        await say([random.getrandbits(8)], line)
    await line.level(1, 1)
    for watcher in watchers:
        watcher.cancel()
    check = Checker("uart_rx")
    names = ["byte", "error", "break"]
    check.equal("number of events", len(expected), len(events))
    for index, (want, got) in enumerate(zip(expected, events, strict=False)):
        check.equal(f"event {index}, {want[0]}", names.index(want[0]), names.index(got[0]))
        check.equal(f"event {index}, data", want[1], got[1])
    check.finish()
