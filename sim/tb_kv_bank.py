"""kv_bank: a read and often a write every cycle: tiles of values, columns of keys.

Never of the same word, since what is read of a word that is being written is not defined.
"""

import random
from collections.abc import Callable
from functools import partial

import cocotb
from cocotb.handle import HierarchyObject

from sim.bench import Checker, Timeline, pack, parameters, play
from sim.stimuli import KvMemory, tiles_of_word, waves_of_word

CYCLES = 800
LATENCY = 2


@cocotb.test()
async def remembers(dut: HierarchyObject) -> None:
    p = parameters()
    rows, cols, width, depth = p["Rows"], p["Cols"], p["W"], p["Depth"]
    memory = KvMemory(rows, cols, depth)
    data = {"is_v": 1, "addr": p["AddrW"], "sub": p["SubW"], "group": p["GroupW"]}
    data |= {"row": p["RowW"], "col": p["ColW"], "data": cols * width}
    widths = {f"w{name}": bits for name, bits in data.items()} | {"raddr": p["AddrW"]}
    timeline, expected = Timeline(["we"], widths), {}
    written = None  # address of two cycles before: undefined when it is read now
    coming: tuple[int, Callable[[], None]] | None = None  # the write of the cycle before
    for cycle in range(CYCLES):
        address = random.choice([at for at in range(depth) if at != written])
        timeline.at(cycle, raddr=address)
        expected[cycle + LATENCY] = list(memory.cells[p["Row"]][address])
        written = None
        if coming:
            written, write = coming
            write()
            coming = None
        if random.random() < 0.7:
            address = random.randrange(depth)
            is_value = random.random() < 0.3
            tile = [random.getrandbits(width) for _ in range(cols)]
            row, col = random.randrange(rows), random.randrange(cols)
            sub = random.randrange(waves_of_word(rows, cols))
            group = random.randrange(tiles_of_word(rows, cols))
            timeline.at(cycle, we=1, wis_v=int(is_value), waddr=address, wdata=pack(tile, width))
            timeline.at(cycle, wrow=row, wcol=col, wsub=sub, wgroup=group)
            if is_value:
                coming = address, partial(memory.write_value, address, row, tile)
            else:
                coming = address, partial(memory.write_key, address, sub, group, col, tile)
    record = await play(dut, timeline, ["rdata_o"], CYCLES + LATENCY)
    check = Checker("kv_bank")
    for cycle, word in expected.items():
        check.lanes(f"rdata_o {cycle}", word, record["rdata_o"][cycle], width)
    check.finish()
