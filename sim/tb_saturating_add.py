"""saturating_add: every pair if it is narrow, else corners with corners and random pairs."""

import itertools
from typing import Any

import cocotb
from cocotb.triggers import Timer

from sim.bench import Checker, parameters, read, saturate, signed
from sim.stimuli import words


@cocotb.test()
async def adds(dut: Any) -> None:
    width = parameters()["W"]
    check = Checker("saturating_add")
    for a, b in itertools.product(words(width, 20), repeat=2):
        dut.a_i.value, dut.b_i.value = a, b
        await Timer(1, "ns")
        total = saturate(signed(a, width) + signed(b, width), width)
        check.lanes(f"sum_o of {a}, {b}", [total], read(dut.sum_o), width)
    check.finish()
