"""systolic_row: a wave every cycle, operands, probabilities, keys and values written meanwhile."""

import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import cocotb
from cocotb.handle import HierarchyObject

from sim.bench import Checker, Table, Timeline, pack, parameters, play
from sim.stimuli import KvMemory, OperandMemory, own_lanes, tiles_of_word

CYCLES = 700
LATENCY = 6
WAVE = ("word", "sub", "prob", "addr", "kv")


class Row:
    """The row as the contract has it: memories of whole vectors, of which it sees its part."""

    def __init__(self, weights: list[list[int]]) -> None:
        self.p = p = parameters()
        shape = p["Rows"], p["Cols"]
        self.weights, self.own = weights, own_lanes(*shape, p["Row"])
        self.operands = OperandMemory(*shape, p["OpWords"])
        self.probs = OperandMemory(*shape, p["ProbWords"], zero_fill=True)
        self.kv = KvMemory(*shape, p["KvDepth"])
        self.written: int | None = None  # KV address of two cycles before: undefined when read now
        self.coming: tuple[int, Callable[[], None]] | None = None  # the write of the cycle before

    def products(self, wave: dict[str, int]) -> list[int]:
        """What the row adds to the partial sums of a wave."""
        memory = self.probs if wave["prob"] else self.operands
        operand = memory.wave(wave["word"], wave["sub"])[self.p["Row"]]
        row = self.kv.cells[self.p["Row"]] if wave["kv"] else self.weights
        return [operand * weight for weight in row[wave["addr"]]]

    def part(self, tile: list[int], width: int) -> int:
        """The lanes that the row is given."""
        return pack([tile[lane] for lane in self.own], width)

    def wave(self) -> dict[str, int]:
        """Random, inside the memories."""
        p, prob, kv = self.p, random.randint(0, 1), random.randint(0, 1)
        addresses = p["KvDepth"] if kv else len(self.weights)
        return {
            "word": random.randrange(p["ProbWords"] if prob else p["OpWords"]),
            "sub": random.randrange(p["Sub"]),
            "prob": prob,
            "addr": random.choice([a for a in range(addresses) if not kv or a != self.written]),
            "kv": kv,
        }

    def writes(self) -> Iterator[dict[str, Any]]:
        """Ports of random writes, already done in the model."""
        p, cols = self.p, self.p["Cols"]
        sub = random.randrange(p["Sub"])
        group = random.randrange(tiles_of_word(p["Rows"], cols))
        if random.random() < 0.5:
            word, lanes = random.randrange(p["OpWords"]), random.getrandbits(cols)
            tile = random_tile(cols, p["ActW"])
            self.operands.write(word, group, lanes, tile)
            ports = {"op_we": 1, "op_word": word, "op_group": group}
            ports["op_lane_en"] = pack([lanes >> lane for lane in self.own], 1)
            yield {**ports, "op_data": self.part(tile, p["ActW"])}
        if random.random() < 0.3:
            word, tile = random.randrange(p["ProbWords"]), random_tile(cols, p["ProbW"], 0)
            self.probs.write(word, group, (1 << cols) - 1, tile)
            ports = {"prob_we": 1, "prob_word": word, "prob_group": group}
            yield {**ports, "prob_data": self.part(tile, p["ProbW"])}
        self.written = None
        if self.coming:
            self.written, write = self.coming
            write()
            self.coming = None
        if random.random() < 0.5:
            address, is_value = random.randrange(p["KvDepth"]), random.randint(0, 1)
            row, col = random.randrange(p["Rows"]), random.randrange(cols)
            tile = random_tile(cols, p["KvW"])
            if is_value:
                self.coming = address, partial(self.kv.write_value, address, row, tile)
            else:
                self.coming = address, partial(self.kv.write_key, address, sub, group, col, tile)
            ports = {"kv_we": 1, "kv_is_v": is_value, "kv_addr": address, "kv_sub": sub}
            ports |= {"kv_group": group, "kv_row": row, "kv_col": col}
            yield {**ports, "kv_data": pack(tile, p["KvW"])}


def random_tile(cols: int, width: int, sign: int = 1) -> list[int]:
    """Lanes of `width` bits, signed unless `sign` is 0."""
    low, high = -sign << (width - 1), (1 << (width - sign)) - 1
    return [random.choice((low, high, random.randint(low, high))) for _ in range(cols)]


def widths(p: dict[str, int]) -> dict[str, int]:
    """Data ports."""
    cols, own = p["Cols"], max(1, p["Cols"] // p["Rows"])
    wave = {"word": p["OpWordW"], "sub": p["SubW"], "prob": 1, "addr": p["AddrW"], "kv": 1}
    op = {"word": p["OpWordW"], "group": p["GroupW"], "lane_en": own, "data": own * p["ActW"]}
    prob = {"word": p["OpWordW"], "group": p["GroupW"], "data": own * p["ProbW"]}
    kv = {"is_v": 1, "addr": p["KvAddrW"], "sub": p["SubW"], "group": p["GroupW"]}
    kv |= {"row": p["RowW"], "col": p["ColW"], "data": cols * p["KvW"]}
    groups = {"wave": wave, "op": op, "prob": prob, "kv": kv}
    ports = {f"{g}_{name}": bits for g, part in groups.items() for name, bits in part.items()}
    return ports | {"psum": cols * p["AccW"]}


@cocotb.test()
async def multiplies(dut: HierarchyObject) -> None:
    p = parameters()
    cols, width = p["Cols"], p["AccW"]
    weights = [random_tile(cols, p["WeightW"]) for _ in range(1 << p["AddrW"])]
    row, timeline = Row(weights), Timeline(["op_we", "prob_we", "kv_we"], widths(p))
    waves, psums = [], {}
    for cycle in range(CYCLES):
        wave = row.wave()
        timeline.at(cycle, **{f"wave_{name}": wave[name] for name in WAVE})
        start = [random.getrandbits(width) for _ in range(cols)]
        timeline.at(cycle + LATENCY - 1, psum=pack(start, width))
        products = row.products(wave)
        waves.append(wave)
        psums[cycle + LATENCY] = [a + b for a, b in zip(start, products, strict=True)]
        for ports in row.writes():
            timeline.at(cycle, **ports)
    table = Table(
        "weight", [pack(w, p["WeightW"]) for w in weights], p["AddrW"], cols * p["WeightW"]
    )
    outputs = ["psum_o", *(f"wave_{name}_o" for name in WAVE)]
    record = await play(dut, timeline, outputs, CYCLES + LATENCY, [table])
    check = Checker("systolic_row")
    for cycle, wave in enumerate(waves):
        for name in WAVE:
            actual = record[f"wave_{name}_o"][cycle + 1]
            check.equal(f"wave_{name}_o {cycle + 1}", wave[name], actual)
        end = cycle + LATENCY
        check.lanes(f"psum_o {end} of {wave}", psums[end], record["psum_o"][end], width)
    check.finish()
