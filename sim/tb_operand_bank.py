"""operand_bank: a read and often a write every cycle, against a memory of whole vectors."""

import random

import cocotb
from cocotb.handle import HierarchyObject

from sim.bench import Checker, Timeline, pack, parameters, play
from sim.stimuli import OperandMemory, own_lanes, tiles_of_word, waves_of_word

CYCLES = 800
LATENCY = 1


@cocotb.test()
async def remembers(dut: HierarchyObject) -> None:
    p = parameters()
    rows, cols, width, depth = p["Rows"], p["Cols"], p["W"], p["Words"]
    memory = OperandMemory(rows, cols, depth, zero_fill=bool(p.get("ZeroFill", 0)))
    own = own_lanes(rows, cols, p["Row"])
    data = {"waddr_word": p["WordW"], "waddr_group": p["GroupW"], "wlane_en": len(own)}
    data |= {"wdata": len(own) * width, "raddr_word": p["WordW"], "raddr_sub": p["SubW"]}
    timeline, expected = Timeline(["we"], data), {}
    for cycle in range(CYCLES):
        word, sub = random.randrange(depth), random.randrange(waves_of_word(rows, cols))
        timeline.at(cycle, raddr_word=word, raddr_sub=sub)
        expected[cycle + LATENCY] = memory.wave(word, sub)[p["Row"]]
        if random.random() < 0.6:
            word, group = random.randrange(depth), random.randrange(tiles_of_word(rows, cols))
            lanes = random.choice((0, (1 << cols) - 1, random.getrandbits(cols)))
            tile = [random.getrandbits(width) for _ in range(cols)]
            timeline.at(cycle, we=1, waddr_word=word, waddr_group=group)
            timeline.at(cycle, wlane_en=pack([lanes >> lane for lane in own], 1))
            timeline.at(cycle, wdata=pack([tile[lane] for lane in own], width))
            memory.write(word, group, lanes, tile)
    record = await play(dut, timeline, ["rdata_o"], CYCLES + LATENCY)
    check = Checker("operand_bank")
    for cycle, element in expected.items():
        check.equal(f"rdata_o {cycle}", element, record["rdata_o"][cycle])
    check.finish()
