"""scalar_lut: mantissa and exponent of all values if they are narrow, else of every power of two
and its neighbours, every cell of the table, and random values; random table, random idle cycles
and resets.
"""

import random

import cocotb
from cocotb.handle import HierarchyObject

from sim.bench import Checker, Table, Timeline, parameters, play

LATENCY = 4


def reference(value: int, even: int, cells: int) -> tuple[int, int]:
    """Index into the table of `cells` an octave, and the exponent."""
    k = 0
    while value >> (k + 1):
        k += 1
    shift = k & ~1 if even else k
    return (value * cells >> shift) - cells, k >> 1 if even else k


def stimuli(width: int) -> list[int]:
    """Values >= 1 in random order."""
    if width <= 11:
        values = list(range(1, 1 << width))
    else:
        values = [(1 << bit) + d for bit in range(width) for d in (-1, 0, 1)]
        values += [(64 + cell) << bit for cell in range(64) for bit in (0, 1, width - 8, width - 7)]
        values += [random.getrandbits(width) >> random.randrange(width) for _ in range(500)]
    values = [value for value in values if 1 <= value < 1 << width]
    random.shuffle(values)
    return values


@cocotb.test()
async def looks_up(dut: HierarchyObject) -> None:
    width, even = parameters()["InW"], parameters()["Even"]
    bits = parameters().get("IndexBits", 6)
    size = (3 if even else 1) << bits
    table = [random.getrandbits(16) for _ in range(size)]
    timeline, expected = Timeline(["valid"], {"value": width}), {}
    for value in stimuli(width):
        timeline.at(timeline.now, valid=1, value=value)
        expected[timeline.now + LATENCY] = value
        timeline.now += random.choice((1, 1, 1, 2, 5))
        if random.random() < 0.01:
            timeline.reset(expected)
    cycles = timeline.now + LATENCY
    ports = ["valid_o", "mant_o", "exp_o"]
    tables = [Table("table", table, bits + 2 * even, 16)]
    record = await play(dut, timeline, ports, cycles, tables)
    check = Checker("scalar_lut")
    for cycle in range(1, cycles):
        check.equal(f"valid_o {cycle}", int(cycle in expected), record["valid_o"][cycle])
        if cycle in expected:
            index, exponent = reference(expected[cycle], even, 1 << bits)
            check.equal(f"mant_o of {expected[cycle]}", table[index], record["mant_o"][cycle])
            check.equal(f"exp_o of {expected[cycle]}", exponent, record["exp_o"][cycle])
    check.finish()
