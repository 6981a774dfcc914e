"""activation_lane: ReLU and GELU with a random table, and values that only pass."""

import random

import cocotb
from cocotb.handle import HierarchyObject

from sim.bench import Checker, Table, Timeline, parameters, pick, play

VECTORS = 3000


@cocotb.test()
async def activates(dut: HierarchyObject) -> None:
    bump = bool(parameters()["Bump"])
    shift, width = parameters().get("BumpShift", 0), parameters().get("BumpW", 8)
    zero, limit = parameters().get("Zero", 0), (1 << parameters().get("HiddenW", 15)) - 1
    bits = parameters().get("BumpAddrW", 8)
    cells = 1 << bits
    table = [random.randint(0, min(zero, (1 << width) - 1)) for _ in range(cells)]
    latency, top = (2, 32767) if bump else (1, 32767)
    edge = min(cells << shift, top)
    corners = (-top, top, -1, 0, 1, -edge, edge, 1 - edge, edge - 1, limit, limit - zero)
    vectors = [(pick(corners, -top, top), random.random() < 0.8) for _ in range(VECTORS)]
    timeline = Timeline(data={"z": 16, "act": 1})
    for cycle, (z, act) in enumerate(vectors):
        timeline.at(cycle, z=z & 0xFFFF, act=int(act))
    tables = [Table("bump", table, bits, width)]
    record = await play(dut, timeline, ["h_o"], VECTORS + latency, tables)
    check = Checker("activation_lane")
    for cycle, (z, act) in enumerate(vectors):
        h = z
        if act:
            h = max(z, 0)
        if act and bump:
            h = min(h + zero - table[min(abs(z) >> shift, cells - 1)], limit)
        check.lanes(f"h_o of {z}, act {act}", [h], record["h_o"][cycle + latency], 16)
    check.finish()
