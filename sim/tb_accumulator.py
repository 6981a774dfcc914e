"""accumulator: tiles of one to nine waves, back to back and with gaps in which sums are ignored."""

import random

import cocotb
from cocotb.handle import HierarchyObject

from sim.bench import Checker, Timeline, pack, parameters, play
from sim.stimuli import words

TILES = 150


@cocotb.test()
async def accumulates(dut: HierarchyObject) -> None:
    cols, width = parameters()["Cols"], parameters()["AccW"]
    timeline = Timeline(["valid"], {"psum": cols * width, "first": 1})
    sums: dict[int, list[int]] = {}  # what is there from this cycle on
    for _ in range(TILES):
        total = [0] * cols
        for wave in range(random.randint(1, 9)):
            psum = [random.choice(words(width)) for _ in range(cols)]
            timeline.at(timeline.now, valid=1, first=int(wave == 0), psum=pack(psum, width))
            total = [a + b for a, b in zip(total, psum, strict=True)]
            timeline.now += 1
            sums[timeline.now] = total
            timeline.now += random.choice((0, 0, 0, 1, 4))
    record = await play(dut, timeline, ["acc_o"], timeline.now + 2)
    check, expected = Checker("accumulator"), None
    for cycle, actual in enumerate(record["acc_o"]):
        expected = sums.get(cycle, expected)
        if expected is not None:
            check.lanes(f"acc_o {cycle}", expected, actual, width)
    check.finish()
