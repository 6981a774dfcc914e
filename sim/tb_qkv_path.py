"""qkv_path: steps of tiles at random positions, as dense as allowed, turned or bypassed; resets.

The rotation itself is the reference of tb_rope; here are its factors, their address, the marks.
"""

import random

import cocotb
from cocotb.handle import HierarchyObject

from sim.bench import RESET_CYCLES, Checker, Timeline, pack, parameters, pick, play
from sim.tb_rope import ONE, reference

STEPS, TOP = 80, 32767


def widths(p: dict[str, int]) -> dict[str, int]:
    """Inputs that are random when nothing is said."""
    pairs = p["Cols"] // 2 * 16
    data = {"early_ctx": p["CtxW"], "early_tile": p["TileW"], "pos": p["PosW"], "bypass": 1}
    data |= {"bits": 5, "data": p["Cols"] * 16, "cos": pairs, "sin": pairs}
    return data


@cocotb.test()
async def turns(dut: HierarchyObject) -> None:
    p = parameters()
    cols, latency, period = p["Cols"], p["RopeLatency"], p["RopePeriod"]
    timeline = Timeline(["early_valid", "valid", "marks"], widths(p))
    tiles: dict[int, list[int]] = {}
    marks: dict[int, int] = {}
    addresses: dict[int, int] = {}
    contexts: dict[int, int] = {}
    for _ in range(STEPS):
        position, context = random.randrange(1 << p["PosW"]), random.randrange(1 << p["CtxW"])
        bypass, bits = int(random.random() < 0.3), random.randint(2, 16)
        for tile in range(random.randint(1, min(3 * period, 1 << p["TileW"]))):
            early, now = timeline.now, timeline.now + 1
            z = [pick((-TOP, TOP, 0), -TOP, TOP) for _ in range(cols)]
            cos, sin = ([pick((-ONE, ONE, 0), -ONE, ONE) for _ in range(cols // 2)] for _ in "cs")
            mark = random.getrandbits(p["MarksW"])
            timeline.at(early, early_valid=1, early_ctx=context, early_tile=tile, pos=position)
            timeline.at(now, valid=1, data=pack(z, 16), bypass=bypass, bits=bits, marks=mark)
            timeline.at(now, cos=pack(cos, 16), sin=pack(sin, 16))
            plain = bypass or not p["Rope"]
            tiles[now + latency] = z if plain else reference(z, cos, sin, bits)
            marks[now + latency], contexts[early + latency] = mark, context
            addresses[early] = position * period + tile % period if p["Rope"] else 0
            timeline.now += p["RopePasses"] + random.choice((0, 0, 0, 1, 5))
        if random.random() < 0.1:
            timeline.now += 1
            timeline.reset(tiles, marks, contexts)
    cycles = timeline.now + latency + 1
    outputs = ["marks_o", "data_o", "early_ctx_o", "rope_addr_o"]
    record = await play(dut, timeline, outputs, cycles, settle=True)
    check = Checker("qkv_path")
    for cycle in range(RESET_CYCLES + latency, cycles):
        check.equal(f"marks_o {cycle}", marks.get(cycle, 0), record["marks_o"][cycle])
        if cycle in tiles:
            check.lanes(f"data_o {cycle}", tiles[cycle], record["data_o"][cycle], 16)
        if cycle in contexts:
            check.equal(f"early_ctx_o {cycle}", contexts[cycle], record["early_ctx_o"][cycle])
        if cycle in addresses:
            check.equal(f"rope_addr_o {cycle}", addresses[cycle], record["rope_addr_o"][cycle])
    check.finish()
