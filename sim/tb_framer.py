"""framer: random messages at any back-pressure, read by the host's decoder; silence behind each."""

import random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from configs.protocol import ESCAPE, FLAG
from sim.bench import Checker, parameters
from sim.link import Decoder, encode

MESSAGES = 30


async def frame(dut: Any, message: bytes, stall: float) -> list[int]:
    """The bytes that leave for `message`, its last flag included."""
    at, sent = 0, []
    dut.valid_i.value, dut.length_i.value = 1, len(message)
    while True:
        dut.data_i.value = message[at] if at < len(message) else random.getrandbits(8)
        dut.ready_i.value = int(random.random() >= stall)
        await Timer(1, "ns")
        leaves = str(dut.valid_o.value) == "1" and str(dut.ready_i.value) == "1"
        if leaves:
            sent.append(int(dut.data_o.value))
        at += str(dut.next_o.value) == "1"
        done = str(dut.done_o.value) == "1"
        await FallingEdge(dut.clk_i)
        if done:
            dut.valid_i.value = 0
            return sent


@cocotb.test()
async def frames(dut: Any) -> None:
    gap = parameters()["Gap"]
    Clock(dut.clk_i, 10, "ns").start(start_high=False)
    check, decoder = Checker("framer"), Decoder()
    dut.rst_i.value, dut.valid_i.value, dut.ready_i.value = 1, 0, 1
    for _ in range(3):
        await FallingEdge(dut.clk_i)
    dut.rst_i.value = 0
    for number in range(MESSAGES):
        length = random.choice((1, 2, random.randint(1, 20), 300 if number == 7 else 5))
        message = bytes(random.choice((FLAG, ESCAPE, random.getrandbits(8))) for _ in range(length))
        sent = await frame(dut, message, random.choice((0.0, 0.5, 0.9)))
        expected = encode(message)
        check.equal(f"message {number}: bytes", len(expected), len(sent))
        for index, (want, got) in enumerate(zip(expected, sent, strict=False)):
            check.equal(f"message {number}, byte {index}", want, got)
        assert list(decoder.feed(sent)) == [message], f"message {number} cannot be read"
        dut.valid_i.value, dut.ready_i.value = 1, 1  # the next one waits
        silent = 0
        while str(dut.valid_o.value) != "1":
            await FallingEdge(dut.clk_i)
            silent += 1
        assert gap < silent < gap + 5, f"{silent} cycles of silence, not {gap}"
    check.finish()
