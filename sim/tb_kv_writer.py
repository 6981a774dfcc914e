"""kv_writer: keys and values of random positions, tiles as close as allowed or apart, resets."""

import random
from typing import Any

import cocotb
from cocotb.handle import HierarchyObject

from sim.bench import Checker, Record, Timeline, pack, parameters, play
from sim.stimuli import tiles_of_word

TOKENS = 120
ROUTE = ("is_v", "addr", "sub", "group", "row", "col")  # where a write goes

Write = dict[str, Any]  # expected outputs, port w<name>_o: value


def writes(is_value: bool, tile: int, base: int, position: int) -> list[Write]:
    """The bank writes of one tile of channels, from the addresses of single channels."""
    p = parameters()
    rows, cols, mask = p["Rows"], p["Cols"], (1 << p["AddrW"]) - 1
    row, col = position % rows, position % cols
    if is_value:
        address = base + position // rows * p["VStride"] + tile
        return [{"is_v": 1, "addr": address & mask, "row": row}]
    result = []
    channels = range(tile * cols, (tile + 1) * cols)
    for wave in sorted({channel // rows for channel in channels}):
        address = base + wave * p["KStride"] + position // cols
        route = {"sub": wave % p["Sub"], "group": tile % tiles_of_word(rows, cols), "col": col}
        result.append({"is_v": 0, "addr": address & mask, **route})
    return result


class Tokens:
    """Builds the timeline, token by token."""

    def __init__(self) -> None:
        self.p = p = parameters()
        data = {"is_v": 1, "first": 1, "last": 1, "base": p["AddrW"], "data": p["Cols"] * p["W"]}
        data |= {"pos_waves": p["CountW"], "pos_row": p["RowW"]}
        data |= {"pos_tiles": p["TileW"], "pos_col": p["ColW"]}
        self.timeline = Timeline(["valid"], data)
        self.expected: dict[int, Write] = {}
        self.position: dict[int, int] = {}  # from this cycle on

    def add(self) -> None:
        """Keys and values of one position."""
        p, timeline = self.p, self.timeline
        limit = min(p["Rows"] << p["CountW"], p["Cols"] << p["TileW"])
        position = random.choice((0, limit - 1, random.randrange(limit)))
        self.position[timeline.now] = position
        timeline.now += 1
        for is_value in random.choice(((False, True), (True, False), (False,))):
            base, tiles = random.getrandbits(p["AddrW"]), random.randint(1, 9)
            for tile in range(tiles):
                self.tile(is_value, tile, tile == tiles - 1, base, position)
        timeline.now += random.choice((0, 0, 3))
        if random.random() < 0.1:
            timeline.now -= 1
            timeline.reset(self.expected)

    def tile(self, is_value: bool, tile: int, last: bool, base: int, position: int) -> None:
        """One tile: its writes follow cycle by cycle."""
        p, timeline = self.p, self.timeline
        word, now = [random.getrandbits(p["W"]) for _ in range(p["Cols"])], timeline.now
        timeline.at(now, valid=1, is_v=int(is_value), data=pack(word, p["W"]), last=int(last))
        timeline.at(now, first=int(tile == 0))
        if tile == 0:
            timeline.at(now, base=base)
        todo = writes(is_value, tile, base, position)
        for n, write in enumerate(todo):
            done = last and n == len(todo) - 1
            ends = {"done_k": int(done and not is_value), "done_v": int(done and is_value)}
            self.expected[now + 1 + n] = {**write, **ends, "data": word}
        timeline.now += len(todo) + random.choice((0, 0, 0, 1, 5))

    def place(self) -> None:
        """Drive the position, constant during a token."""
        p, position = self.p, 0
        for cycle in range(self.timeline.now + 1):
            position = self.position.get(cycle, position)
            waves, row = divmod(position, p["Rows"])
            tiles, col = divmod(position, p["Cols"])
            self.timeline.at(cycle, pos_waves=waves, pos_row=row, pos_tiles=tiles, pos_col=col)


def compare(check: Checker, record: Record, expected: dict[int, Write], width: int) -> None:
    """Valid bits in every cycle, and where each write goes."""
    for cycle in range(1, len(record["we_o"])):
        now, write = {name: values[cycle] for name, values in record.items()}, expected.get(cycle)
        check.equal(f"we_o {cycle}", int(write is not None), now["we_o"])
        for name in ("done_k", "done_v"):
            check.equal(f"{name}_o {cycle}", write[name] if write else 0, now[f"{name}_o"])
        if write is not None:
            for name in ROUTE:
                if name in write:
                    check.equal(f"w{name}_o {cycle}", write[name], now[f"w{name}_o"])
            check.lanes(f"wdata_o {cycle}", write["data"], now["wdata_o"], width)


@cocotb.test()
async def writes_banks(dut: HierarchyObject) -> None:
    tokens = Tokens()
    for _ in range(TOKENS):
        tokens.add()
    tokens.place()
    ports = ["we_o", "done_k_o", "done_v_o", "wdata_o", *(f"w{name}_o" for name in ROUTE)]
    record = await play(dut, tokens.timeline, ports, tokens.timeline.now + 1)
    check = Checker("kv_writer")
    compare(check, record, tokens.expected, parameters()["W"])
    check.finish()
