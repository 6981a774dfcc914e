"""saturate: every width of the result; all values if they are narrow, else corners and random."""

import random
from typing import Any

import cocotb
from cocotb.triggers import Timer

from sim.bench import Checker, parameters, read, saturate


def values(width: int, bits: int) -> list[int]:
    """What to saturate: around both limits, around the ends of the range, and random."""
    top, limit = 1 << (width - 1), 1 << (bits - 1)
    if width <= 8:
        return list(range(-top, top))
    near = [edge + d for edge in (-top, -limit, 0, limit, top) for d in (-2, -1, 0, 1, 2)]
    spread = [random.randrange(-top, top) >> random.randrange(width) for _ in range(40)]
    return [value for value in near + spread if -top <= value < top]


@cocotb.test()
async def saturates(dut: Any) -> None:
    width, out_width = parameters()["InW"], parameters()["OutW"]
    check = Checker("saturate")
    for bits in range(2, out_width + 1):
        for value in values(width, bits):
            dut.value_i.value, dut.limit_i.value = value, (1 << (bits - 1)) - 1
            await Timer(1, "ns")
            expected = saturate(value, bits) & ((1 << out_width) - 1)
            check.equal(f"{value} to {bits} bits", expected, read(dut.value_o))
    check.finish()
