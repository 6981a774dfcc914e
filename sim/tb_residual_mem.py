"""residual_mem: a read and often a write every cycle, many of them of the same tile."""

import random

import cocotb
from cocotb.handle import HierarchyObject

from sim.bench import Checker, Timeline, parameters, play

CYCLES = 600


@cocotb.test()
async def remembers(dut: HierarchyObject) -> None:
    tiles, tile_width = parameters()["Tiles"], parameters()["TileW"]
    width = parameters()["Cols"] * parameters()["W"]
    timeline = Timeline(["we"], {"wtile": tile_width, "wdata": width, "rtile": tile_width})
    cells, expected = [0] * tiles, {}
    for cycle in range(CYCLES):
        tile, written = random.randrange(tiles), random.randrange(tiles)
        timeline.at(cycle, rtile=tile)
        expected[cycle + 1] = cells[tile]
        if random.random() < 0.6:
            data = random.getrandbits(width)
            timeline.at(cycle, we=1, wtile=written, wdata=data)
            cells[written] = data
    record = await play(dut, timeline, ["rdata_o"], CYCLES + 1)
    check = Checker("residual_mem")
    for cycle, data in expected.items():
        check.equal(f"rdata_o {cycle}", data, record["rdata_o"][cycle])
    check.finish()
