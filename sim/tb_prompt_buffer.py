"""prompt_buffer: prompts of every length, any back-pressure, clear and reset."""

import random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from sim.bench import Checker, parameters, read


async def write(dut: Any, tokens: list[int]) -> None:
    """As a frame does it: token by token, in between anything; then start."""
    for address, token in enumerate(tokens):
        dut.we_i.value, dut.addr_i.value, dut.data_i.value = 1, address, token
        await FallingEdge(dut.clk_i)
        dut.we_i.value, dut.data_i.value = 0, random.getrandbits(16)
    dut.start_i.value, dut.count_i.value = 1, len(tokens)
    await FallingEdge(dut.clk_i)
    dut.start_i.value, dut.count_i.value = 0, random.getrandbits(1)


async def collect(dut: Any, check: Checker, tokens: list[int], stall: float) -> None:
    """All beats; a beat that is stalled stays as it is."""
    for index, token in enumerate(tokens):
        for _ in range(200):
            dut.m_axis_tready_i.value = int(random.random() >= stall)
            await Timer(1, "ns")
            check.equal(f"busy_o before token {index}", 1, read(dut.busy_o))
            offered = str(dut.m_axis_tvalid_o.value) == "1"
            taken = offered and str(dut.m_axis_tready_i.value) == "1"
            if offered:
                check.equal(f"token {index} of {len(tokens)}", token, read(dut.m_axis_tdata_o))
                last = index == len(tokens) - 1
                check.equal(f"tlast of token {index}", last, read(dut.m_axis_tlast_o))
            await FallingEdge(dut.clk_i)
            if taken:
                break
        else:
            raise AssertionError(f"token {index} did not come")


@cocotb.test()
async def holds_prompts(dut: Any) -> None:
    depth = 1 << parameters()["LogDepth"]
    Clock(dut.clk_i, 10, "ns").start(start_high=False)
    check = Checker("prompt_buffer")
    for name in ("we_i", "start_i", "clear_i", "m_axis_tready_i"):
        getattr(dut, name).value = 0
    dut.rst_i.value = 1
    for _ in range(3):
        await FallingEdge(dut.clk_i)
    dut.rst_i.value = 0
    for length in [*range(1, depth + 1), *random.choices(range(1, depth + 1), k=12)]:
        tokens = [random.getrandbits(16) for _ in range(length)]
        await write(dut, tokens)
        if random.random() < 0.2:
            end = random.choice((dut.clear_i, dut.rst_i))
            for _ in range(random.randrange(2 * length + 2)):
                dut.m_axis_tready_i.value = random.getrandbits(1)
                await FallingEdge(dut.clk_i)
            end.value, dut.m_axis_tready_i.value = 1, 0
            await FallingEdge(dut.clk_i)
            end.value = 0
        else:
            await collect(dut, check, tokens, random.choice((0.0, 0.3, 0.9)))
        await Timer(1, "ns")
        check.equal("busy_o at the end", 0, read(dut.busy_o))
        check.equal("tvalid at the end", 0, read(dut.m_axis_tvalid_o))
        await FallingEdge(dut.clk_i)
    check.finish()
