"""axis_demux: every beat at its destination or dropped, ready as its destination is."""

import random
from typing import Any

import cocotb
from cocotb.triggers import Timer

from sim.bench import Checker, parameters, read


@cocotb.test()
async def sorts(dut: Any) -> None:
    streams = parameters()["Streams"]
    check = Checker("axis_demux")
    for number in range(300):
        valid, last, data = random.getrandbits(1), random.getrandbits(1), random.getrandbits(16)
        to, ready = random.choice((*range(streams), streams, 255)), random.getrandbits(streams)
        dut.s_axis_tvalid.value, dut.s_axis_tlast.value = valid, last
        dut.s_axis_tdata.value, dut.s_axis_tdest.value = data, to
        dut.m_axis_tready.value = ready
        await Timer(1, "ns")
        there = to < streams
        check.equal(f"{number}: valid", valid << to if there else 0, read(dut.m_axis_tvalid))
        check.equal(f"{number}: ready", ready >> to & 1 if there else 1, read(dut.s_axis_tready))
        check.equal(f"{number}: lost", int(valid and not there), read(dut.lost_o))
        if there:
            check.equal(f"{number}: data", data, int(dut.m_axis_tdata.value) >> 16 * to & 0xFFFF)
            check.equal(f"{number}: last", last, int(dut.m_axis_tlast.value) >> to & 1)
    check.finish()
