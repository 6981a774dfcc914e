"""resize: every value if it is narrow, else corners and random values."""

from typing import Any

import cocotb
from cocotb.triggers import Timer

from sim.bench import Checker, parameters, read
from sim.stimuli import words


@cocotb.test()
async def resizes(dut: Any) -> None:
    check = Checker("resize")
    for word in words(parameters()["InW"]):
        dut.data_i.value = word
        await Timer(1, "ns")
        expected = word % (1 << parameters()["OutW"])
        check.equal(f"data_o of {word}", expected, read(dut.data_o))
    check.finish()
