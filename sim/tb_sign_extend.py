"""sign_extend: every value if it is narrow, else corners and random values."""

from typing import Any

import cocotb
from cocotb.triggers import Timer

from sim.bench import Checker, parameters, read, signed
from sim.stimuli import words


@cocotb.test()
async def extends(dut: Any) -> None:
    in_width, out_width = parameters()["InW"], parameters()["OutW"]
    check = Checker("sign_extend")
    for word in words(in_width):
        dut.data_i.value = word
        await Timer(1, "ns")
        check.lanes(f"data_o of {word}", [signed(word, in_width)], read(dut.data_o), out_width)
    check.finish()
