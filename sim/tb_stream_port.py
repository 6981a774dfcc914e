"""stream_port: prompts through it and answers back, at any idle and back-pressure, with clears."""

import random
from collections import deque
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from sim.bench import Checker, parameters, read

REQUESTS = 30
PATIENCE = 400
SETTINGS = {"max_tokens_o": 16, "temperature_o": 16, "seed_o": 32, "stop_token_o": 16}


async def write(dut: Any, prompt: list[int], tag: int, settings: int) -> None:
    """The prompt as a frame brings it, then the start."""
    for address, token in enumerate(prompt):
        dut.we_i.value, dut.addr_i.value, dut.data_i.value = 1, address, token
        await FallingEdge(dut.clk_i)
    dut.we_i.value, dut.start_i.value, dut.count_i.value = 0, 1, len(prompt)
    dut.tag_i.value, dut.settings_i.value = tag, settings
    await FallingEdge(dut.clk_i)
    dut.start_i.value = 0
    dut.tag_i.value, dut.settings_i.value = random.getrandbits(8), random.getrandbits(88)


async def read_prompt(dut: Any, check: Checker, prompt: list[int], stall: float) -> int:
    """The core takes the prompt; how many cycles it took."""
    cycles = 0
    for index, token in enumerate(prompt):
        for _ in range(PATIENCE):
            dut.m_axis_tready_i.value = int(random.random() >= stall)
            await Timer(1, "ns")
            offered = str(dut.m_axis_tvalid_o.value) == "1"
            if offered:
                check.equal(f"token {index} of the prompt", token, read(dut.m_axis_tdata_o))
                last = int(index == len(prompt) - 1)
                check.equal(f"tlast of token {index}", last, read(dut.m_axis_tlast_o))
            taken = offered and str(dut.m_axis_tready_i.value) == "1"
            await FallingEdge(dut.clk_i)
            cycles += 1
            if taken:
                break
        else:
            raise AssertionError(f"token {index} of the prompt did not come")
    dut.m_axis_tready_i.value = 0
    return cycles


async def answer(dut: Any, check: Checker, tokens: list[int], status: int, cycles: int) -> None:
    """The core answers while the reporter takes; then the end. `cycles` have passed since start."""
    beats = deque([(token, 0) for token in tokens] + [(status, 1)])
    waiting: deque[int] = deque()
    idle, slow = random.choice((0.0, 0.3, 0.9)), random.choice((0.0, 0.3, 0.9))
    offered, taken, depth = False, 0, 1 << parameters()["LogAnswer"]
    for _ in range(PATIENCE * (len(beats) + 1)):
        offered = bool(beats) and (offered or random.random() >= idle)
        data, user = beats[0] if offered else (random.getrandbits(16), random.getrandbits(1))
        take = bool(waiting) and random.random() >= slow
        dut.s_axis_tvalid_i.value, dut.s_axis_tdata_i.value = int(offered), data
        dut.s_axis_tuser_i.value, dut.take_i.value = user, int(take)
        await Timer(1, "ns")
        check.equal("fill_o", len(waiting), read(dut.fill_o))
        check.equal("index_o", taken, read(dut.index_o))
        check.equal("busy_o", 1, read(dut.busy_o))
        check.equal("closed_o", int(not beats and not waiting), read(dut.closed_o))
        if waiting:
            check.equal(f"token {taken}", waiting[0], read(dut.token_o))
        if not beats and not waiting:
            break
        ready = bool(user) or len(waiting) < depth
        if offered:
            check.equal("tready", int(ready), read(dut.s_axis_tready_o))
        if take:
            waiting.popleft()
            taken += 1
        if offered and ready:
            if not user:
                waiting.append(data)
            beats.popleft()
            offered = False
        cycles += bool(beats)
        await FallingEdge(dut.clk_i)
    else:
        raise AssertionError("the answer did not end")
    check.equal("status_o", status, read(dut.status_o))
    check.equal("cycles_o", cycles + 1, read(dut.cycles_o))
    dut.done_i.value = 1
    await FallingEdge(dut.clk_i)
    dut.done_i.value = 0


@cocotb.test()
async def passes(dut: Any) -> None:
    longest = 1 << parameters()["LogPrompt"]
    Clock(dut.clk_i, 10, "ns").start(start_high=False)
    check = Checker("stream_port")
    names = ("clear_i", "we_i", "start_i", "m_axis_tready_i", "s_axis_tvalid_i", "take_i", "done_i")
    for name in names:
        getattr(dut, name).value = 0
    dut.rst_i.value = 1
    for _ in range(3):
        await FallingEdge(dut.clk_i)
    dut.rst_i.value = 0
    for number in range(REQUESTS):
        prompt = [random.getrandbits(16) for _ in range(random.randint(1, longest))]
        tokens = [random.getrandbits(16) for _ in range(random.choice((0, 1, 5, 40)))]
        tag, settings = random.getrandbits(8), random.getrandbits(88)
        await write(dut, prompt, tag, settings)
        if number % 7 == 6:  # ended in the middle
            for _ in range(random.randrange(2 * len(prompt))):
                dut.m_axis_tready_i.value = random.getrandbits(1)
                await FallingEdge(dut.clk_i)
            end = random.choice((dut.clear_i, dut.rst_i))
            end.value, dut.m_axis_tready_i.value = 1, 0
            await FallingEdge(dut.clk_i)
            end.value = 0
            await Timer(1, "ns")
            for name in ("busy_o", "m_axis_tvalid_o", "closed_o", "fill_o"):
                check.equal(f"{name} at the end", 0, read(getattr(dut, name)))
            continue
        cycles = await read_prompt(dut, check, prompt, random.choice((0.0, 0.5)))
        check.equal("tag_o", tag, read(dut.tag_o))
        rest = settings
        for name, width in SETTINGS.items():
            check.equal(name, rest & (1 << width) - 1, read(getattr(dut, name)))
            rest >>= width
        check.equal("stop_enable_o", rest & 1, read(dut.stop_enable_o))
        await answer(dut, check, tokens, random.getrandbits(5), cycles)
        await Timer(1, "ns")
        check.equal("busy_o behind it", 0, read(dut.busy_o))
    check.finish()
