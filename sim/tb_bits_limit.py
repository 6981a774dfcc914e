"""bits_limit: every width of an integer."""

from typing import Any

import cocotb
from cocotb.triggers import Timer

from sim.bench import Checker, parameters, read


@cocotb.test()
async def is_the_largest_magnitude(dut: Any) -> None:
    check = Checker("bits_limit")
    for bits in range(2, parameters()["W"] + 2):
        dut.bits_i.value = bits
        await Timer(1, "ns")
        check.equal(f"{bits} bits", 2 ** (bits - 1) - 1, read(dut.limit_o))
    check.finish()
