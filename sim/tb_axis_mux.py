"""axis_mux: no beat lost, doubled or out of its stream's order, at any idle and back-pressure."""

import random
from collections import deque
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from sim.bench import Checker, parameters, read

CYCLES = 250
Beat = tuple[int, int, int]  # data, last, user


def draw() -> Beat:
    """A beat; one of eight closes a request."""
    close = int(random.random() < 0.125)
    return random.getrandbits(16), close, close


@cocotb.test()
async def merges(dut: Any) -> None:
    streams = parameters()["Streams"]
    Clock(dut.clk_i, 10, "ns").start(start_high=False)
    check = Checker("axis_mux")
    sent: list[deque[Beat]] = [deque() for _ in range(streams)]  # taken, not yet seen
    status, closing, shown = [0] * streams, [0] * streams, None
    waiting: list[Beat | None] = [None] * streams
    dut.rst_i.value, dut.s_axis_tvalid.value, dut.m_axis_tready.value = 1, 0, 0
    for _ in range(3):
        await FallingEdge(dut.clk_i)
    dut.rst_i.value = 0
    for idle, stall in ((0.0, 0.0), (0.9, 0.0), (0.1, 0.8), (0.6, 0.5)):
        for cycle in range(CYCLES):
            for s in range(streams):
                if waiting[s] is None and random.random() >= idle:
                    waiting[s] = draw()
            beats = [beat or (random.getrandbits(16), 0, 0) for beat in waiting]
            valid = [beat is not None for beat in waiting]
            ready = random.random() >= stall
            dut.s_axis_tvalid.value = sum(v << s for s, v in enumerate(valid))
            dut.s_axis_tdata.value = sum(b[0] << 16 * s for s, b in enumerate(beats))
            dut.s_axis_tlast.value = sum(b[1] << s for s, b in enumerate(beats))
            dut.s_axis_tuser.value = sum(b[2] << s for s, b in enumerate(beats))
            dut.m_axis_tready.value = int(ready)
            await Timer(1, "ns")
            taken = int(dut.s_axis_tready.value)
            assert bin(taken).count("1") <= 1, "two beats were taken"
            assert not taken & ~int(dut.s_axis_tvalid.value), "a beat was taken that was not there"
            assert taken or not any(valid) or not ready, f"cycle {cycle}: nobody was served"
            now = None
            if str(dut.m_axis_tvalid.value) == "1":
                names = ("tdata", "tlast", "tuser", "tid")
                now = tuple(int(getattr(dut, f"m_axis_{name}").value) for name in names)
                if shown is None:
                    expected = sent[now[3]].popleft()
                    for name, want, got in zip(names, expected, now, strict=False):
                        check.equal(f"{name} of stream {now[3]}, cycle {cycle}", want, got)
                else:
                    assert shown == now, f"a stalled beat changed from {shown} to {now}"
            else:
                assert shown is None, "tvalid fell before tready rose"
            shown = None if ready else now
            check.equal("closed_o", sum(c << s for s, c in enumerate(closing)), read(dut.closed_o))
            check.lanes("status_o", status, read(dut.status_o), 8)
            closing = [0] * streams
            for s in range(streams):
                beat = waiting[s]
                if taken >> s & 1 and beat is not None:
                    sent[s].append(beat)
                    waiting[s] = None
                    if beat[2]:
                        closing[s], status[s] = 1, beat[0] & 0xFF
            await FallingEdge(dut.clk_i)
    assert sum(map(len, sent)) <= 1, "beats were lost"
    check.finish()
