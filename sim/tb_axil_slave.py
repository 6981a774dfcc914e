"""axil_slave: reads and writes of cocotbext-axi against registers that the bench plays.

Back-pressure on every channel, partial writes, addresses that are refused, reset at any time.
"""

import itertools
import random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, Timer
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp

from sim.bench import Checker, parameters

ROUNDS = 60
REFUSED = 3  # addresses with this remainder of 5 (in words) do not exist


def pauses(share: float) -> Any:
    """True in a share of all cycles."""
    return (random.random() < share for _ in itertools.count())


def throttle(master: AxiLiteMaster, share: float) -> None:
    """Pauses on all five channels."""
    writing, reading = master.write_if, master.read_if
    channels = (writing.aw_channel, writing.w_channel, writing.b_channel)
    for channel in (*channels, reading.ar_channel, reading.r_channel):
        channel.set_pause_generator(pauses(share))


async def play(dut: Any, words: list[int]) -> None:
    """The registers: 32 bits each, some of them refused."""
    while True:
        await Timer(1, "ns")
        if str(dut.write_o.value) == "1":
            at, data = int(dut.waddr_o.value), int(dut.wdata_o.value)
            dut.werror_i.value = int(at % 5 == REFUSED)
            strobes = int(dut.wstrb_o.value)
            if at % 5 != REFUSED:
                mask = sum(0xFF << 8 * byte for byte in range(4) if strobes >> byte & 1)
                words[at] = words[at] & ~mask | data & mask
        address = str(dut.raddr_o.value)
        if set(address) <= {"0", "1"}:
            dut.rdata_i.value = words[int(address, 2)]
            dut.rerror_i.value = int(int(address, 2) % 5 == REFUSED)
        await FallingEdge(dut.clk_i)


@cocotb.test()
async def answers(dut: Any) -> None:
    size = 1 << parameters()["AddrW"]
    Clock(dut.clk_i, 10, "ns").start(start_high=False)
    check, words = Checker("axil_slave"), [random.getrandbits(32) for _ in range(size // 4)]
    dut.rst_i.value = 1
    dut.werror_i.value, dut.rerror_i.value, dut.rdata_i.value = 0, 0, 0
    master = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk_i, dut.rst_i)
    await ClockCycles(dut.clk_i, 3)
    dut.rst_i.value = 0
    await FallingEdge(dut.clk_i)
    cocotb.start_soon(play(dut, words))
    for number in range(ROUNDS):
        throttle(master, random.choice((0.0, 0.3, 0.8)))
        word = random.randrange(size // 4)
        offset = random.randrange(4)
        data = random.randbytes(random.randint(1, 4 - offset))
        refused = word % 5 == REFUSED
        before = words[word].to_bytes(4, "little")
        wanted = before if refused else before[:offset] + data + before[offset + len(data) :]
        response = AxiResp.SLVERR if refused else AxiResp.OKAY
        if number % 10 == 9:  # reset with both kinds of access under way
            writing = cocotb.start_soon(master.write(4 * word + offset, data))
            reading = cocotb.start_soon(master.read(4 * word, 4))
            await ClockCycles(dut.clk_i, random.randint(1, 9))
            dut.rst_i.value = 1
            await ClockCycles(dut.clk_i, 2)
            dut.rst_i.value = 0
            writing.cancel()
            reading.cancel()
            await FallingEdge(dut.clk_i)
            check.equal(f"{number}: bvalid after reset", 0, int(dut.s_axil_bvalid.value))
            check.equal(f"{number}: rvalid after reset", 0, int(dut.s_axil_rvalid.value))
            continue
        others = [random.randrange(size // 4) for _ in range(random.randint(0, 3))]
        tasks = [cocotb.start_soon(master.read(4 * other, 4)) for other in others]
        written = await master.write(4 * word + offset, data)
        check.equal(f"{number}: answer to a write at {word}", response, written.resp)
        read = await master.read(4 * word, 4)
        check.equal(f"{number}: answer to a read at {word}", response, read.resp)
        value = int.from_bytes(read.data, "little")
        check.equal(f"{number}: data at {word}", int.from_bytes(wanted, "little"), value)
        for other, task in zip(others, tasks, strict=True):
            wanted_other = AxiResp.SLVERR if other % 5 == REFUSED else AxiResp.OKAY
            check.equal(f"{number}: burst of reads", wanted_other, (await task).resp)
    check.finish()
