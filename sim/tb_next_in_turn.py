"""next_in_turn, and lowest_set within it: every set of bits after every number."""

from typing import Any

import cocotb
from cocotb.triggers import Timer

from sim.bench import Checker, parameters, read


@cocotb.test()
async def takes_turns(dut: Any) -> None:
    count, check = parameters()["N"], Checker("next_in_turn")
    for bits in range(1 << count):
        there = [number for number in range(count) if bits >> number & 1]
        for last in range(count):
            dut.bits_i.value, dut.last_i.value = bits, last
            await Timer(1, "ns")
            later = [number for number in there if number > last]
            expected = min(later or there or [0])
            check.equal(f"index of {bits:b} after {last}", expected, read(dut.index_o))
            check.equal(f"any of {bits:b}", int(bits != 0), read(dut.any_o))
    check.finish()
