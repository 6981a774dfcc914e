"""embed: random tables with their corners, starts as close as allowed or apart, resets."""

import random

import cocotb
from cocotb.handle import HierarchyObject

from sim.bench import Checker, Table, Timeline, pack, parameters, pick, play, saturate

STARTS = 120


def rows(count: int, tiles: int, lanes: int, bits: int) -> list[list[int]]:
    """A table of `count` rows, one list of lanes per tile."""
    top = 2 ** (bits - 1) - 1
    corners = (-top, top, 0)
    return [[pick(corners, -top, top) for _ in range(lanes)] for _ in range(count * tiles)]


@cocotb.test()
async def embeds(dut: HierarchyObject) -> None:
    lanes, tiles, gap, has_pos = (parameters()[name] for name in ("C", "Tiles", "Gap", "HasPos"))
    token_width, pos_width = parameters()["TokenW"], parameters()["PosW"]
    bits = parameters().get("W", 16)
    tile_bits = (tiles - 1).bit_length()
    tok, pos = (rows(1 << width, tiles, lanes, bits) for width in (token_width, pos_width))
    timeline = Timeline(["start"], {"token": token_width, "pos": pos_width})
    if not has_pos:
        timeline.widths["pos_data"] = lanes * bits
        timeline.cycles["pos_data"] = {}
    expected: dict[int, tuple[int, list[int]]] = {}
    for _ in range(STARTS):
        start = timeline.now
        token, place = random.getrandbits(token_width), random.getrandbits(pos_width)
        timeline.at(start, start=1, token=token, pos=place)
        for tile in range(tiles):
            x = tok[token * tiles + tile]
            if has_pos:
                pairs = zip(x, pos[place * tiles + tile], strict=True)
                x = [saturate(a + b, bits) for a, b in pairs]
            expected[start + 4 + tile * gap] = (tile, x)
        if random.random() < 0.05:
            timeline.now += random.randint(1, tiles * gap)
            timeline.reset(expected)
        else:
            timeline.now += tiles * gap + random.choice((0, 0, 1, 9))
    ports = ["x_valid_o", "x_tile_o", "x_first_o", "x_last_o", "x_o"]
    packed = [pack(row, bits) for row in tok]
    tables = [Table("tok", packed, token_width + tile_bits, lanes * bits)]
    if has_pos:
        packed = [pack(row, bits) for row in pos]
        tables.append(Table("pos", packed, pos_width + tile_bits, lanes * bits))
    record = await play(dut, timeline, ports, timeline.now + 5, tables)
    check = Checker("embed")
    for cycle in range(1, timeline.now + 5):
        check.equal(f"x_valid_o {cycle}", int(cycle in expected), record["x_valid_o"][cycle])
        if cycle in expected:
            tile, x = expected[cycle]
            check.equal(f"x_tile_o {cycle}", tile, record["x_tile_o"][cycle])
            check.equal(f"x_first_o {cycle}", int(tile == 0), record["x_first_o"][cycle])
            check.equal(f"x_last_o {cycle}", int(tile == tiles - 1), record["x_last_o"][cycle])
            check.lanes(f"x_o {cycle}", x, record["x_o"][cycle], 16)
    check.finish()
