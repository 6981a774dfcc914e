"""noise_value: a number in every cycle, all octaves and corners, every kind of temperature."""

import random

import cocotb
from cocotb.handle import HierarchyObject

from sim.bench import Checker, Table, Timeline, parameters, play, round_shift
from sim.tb_noise import cell, temperature

ROUNDS, NUMBERS, LATENCY = 30, 40, 8


def number() -> int:
    """A random number of a random size, or a corner."""
    corners = (0, 1, 0xFFFF, 0x10000, 0x1FFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
    return random.choice((random.choice(corners), random.getrandbits(random.randint(1, 32))))


@cocotb.test()
async def values(dut: HierarchyObject) -> None:
    width = parameters()["NoiseW"]
    top = 32768 if width == 20 else 16383
    gumbel = [random.choice((-top, top - 1, 0, random.randrange(-top, top))) for _ in range(1024)]
    timeline, expected = Timeline([], {"random": 32, "temp": 16}), {}
    for _ in range(ROUNDS):
        temp = temperature()
        for n in range(NUMBERS + LATENCY):
            now = timeline.now + n
            timeline.at(now, temp=temp)
            if n < NUMBERS:
                value = number()
                timeline.at(now, random=value)
                expected[now + LATENCY] = round_shift(gumbel[cell(value)] * temp, 12)
        timeline.now += NUMBERS + LATENCY
    tables = [Table("gumbel", gumbel, 10, 16)]
    record = await play(dut, timeline, ["noise_o"], timeline.now + 1, tables)
    check = Checker("noise_value")
    for cycle, value in expected.items():
        check.lanes(f"noise_o {cycle}", [value], record["noise_o"][cycle], width)
    check.finish()
