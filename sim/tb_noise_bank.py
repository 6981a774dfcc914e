"""noise_bank: fillings of several vocabularies with gaps, cut by resets, and reads of all words."""

import random

import cocotb
from cocotb.handle import HierarchyObject

from sim.bench import RESET_CYCLES, Checker, Timeline, parameters, play

FILLINGS, LATENCY = 60, 9


@cocotb.test()
async def keeps(dut: HierarchyObject) -> None:
    p = parameters()
    lanes, vocab, tiles, width = p["C"], p["Vocab"], p["Tiles"], p["NoiseW"]
    widths = {"value": width, "waddr": p["AddrW"], "raddr": p["AddrW"], "zero": 1}
    timeline = Timeline(["draw"], widths)
    memory = [[0] * lanes for _ in range(p["Words"])]
    rows: dict[int, list[int]] = {}
    last: set[int] = set()
    at_tile: dict[int, int] = {}
    for _ in range(FILLINGS):
        base = random.randrange(p["Words"] // tiles) * tiles
        cut = random.randrange(vocab) if random.random() < 0.2 else vocab
        gap = random.choice((0.0, 0.0, 0.3))
        for n in range(cut):
            while random.random() < gap:
                timeline.now += 1
            value, write = random.getrandbits(width), timeline.now + LATENCY
            timeline.at(timeline.now, draw=1)
            timeline.at(write, value=value, waddr=base + n // lanes)
            memory[base + n // lanes][n % lanes] = value
            at_tile[write] = n // lanes
            timeline.now += 1
        timeline.now += LATENCY
        if cut < vocab:
            timeline.reset()
        else:
            last.add(timeline.now - 1)
        for word in random.sample(range(p["Words"]), p["Words"]):
            zero = int(random.random() < 0.2)
            timeline.at(timeline.now, raddr=word, zero=zero)
            rows[timeline.now + 1] = [0] * lanes if zero else list(memory[word])
            timeline.now += 1
    record = await play(dut, timeline, ["tile_o", "last_o", "noise_o"], timeline.now + 1)
    check = Checker("noise_bank")
    for cycle in range(RESET_CYCLES + 1, timeline.now + 1):
        check.equal(f"last_o {cycle}", int(cycle in last), record["last_o"][cycle])
        if cycle in at_tile:
            check.equal(f"tile_o {cycle}", at_tile[cycle], record["tile_o"][cycle])
        if cycle in rows:
            check.lanes(f"noise_o {cycle}", rows[cycle], record["noise_o"][cycle], width)
    check.finish()
