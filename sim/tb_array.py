"""array: tiles of waves against integer matrix products, as rendered for a random model.

The test writes array.json: parameters, and for each step with constant weights its matrix and its
place in the weight memory. Operands, probabilities, keys and values are written by the bench, also
while waves are on their way: row r of a wave reads r cycles after row 0.
"""

import json
import random
from pathlib import Path
from typing import Any

import cocotb
from cocotb.handle import HierarchyObject

from sim.bench import Checker, Timeline, pack, play
from sim.stimuli import KvMemory, OperandMemory

TILES = 220
QUIET = 30  # cycles at the beginning in which everything is written once

Matrix = list[list[int]]  # [output lane][operand element]


def random_tile(cols: int, width: int, *, signed: bool = True) -> list[int]:
    """Lanes with many extremes."""
    low, high = (1 - (1 << width - 1), (1 << width - 1) - 1) if signed else (0, (1 << width) - 1)
    return [random.choice((low, high, random.randint(low, high))) for _ in range(cols)]


class Array:
    """Places tiles and writes in time; then plays them in order, cycle by cycle."""

    def __init__(self, shape: dict[str, Any]) -> None:
        self.p = p = shape["parameters"]
        self.steps = shape["steps"]
        rows, cols = p["Rows"], p["Cols"]
        self.operands = OperandMemory(rows, cols, p["OpWords"])
        self.probs = OperandMemory(rows, cols, p["ProbWords"], zero_fill=True)
        self.kv = KvMemory(rows, cols, p["KvDepth"])
        self.timeline = Timeline(["valid", "op_we", "prob_we", "kv_we"], self.widths())
        self.waves: dict[int, dict[str, Any]] = {}  # by cycle in row 0
        self.writes: dict[int, list[tuple[Any, ...]]] = {}  # (method, arguments) by cycle
        self.resets: list[int] = []
        self.sums: dict[int, list[int]] = {}  # of the tile so far, from this cycle on

    def widths(self) -> dict[str, int]:
        p = self.p
        cols, word, group = p["Cols"], p["OpWordW"], p["GroupW"]
        data = {"first": 1, "wave_word": word, "wave_sub": p["SubW"], "wave_prob": 1}
        data |= {"wave_addr": p["AddrW"], "wave_kv": 1, "op_word": word, "op_group": group}
        data |= {"op_lanes": cols, "op_data": cols * p["ActW"], "prob_word": word}
        data |= {"prob_group": group, "prob_data": cols * p["ProbW"], "kv_is_v": 1}
        data |= {"kv_addr": p["KvAddrW"], "kv_sub": p["SubW"], "kv_group": group}
        return data | {"kv_row": p["RowW"], "kv_col": p["ColW"], "kv_data": cols * p["KvW"]}

    # ---- stimuli
    def tile(self) -> None:
        """One tile: back to back with the one before, or not, with bubbles between its waves."""
        p, timeline = self.p, self.timeline
        step = random.choice(self.steps) if random.random() < 0.6 else None
        waves = step["waves"] if step else random.randint(1, 8)
        prob, kv = random.random() < 0.4, step is None
        words, sub = (p["ProbWords"] if prob else p["OpWords"]), p["Sub"]
        place = random.randrange(words * sub - waves + 1) if waves < words * sub else 0
        waves = min(waves, words * sub)
        number = random.randrange(step["tiles"]) if step else 0
        first, stride = random.randrange(p["KvDepth"]), random.randrange(p["KvDepth"])
        bubbles = random.random() < 0.4
        for n in range(waves):
            if step:
                address = step["addr"] + number * step["waves"] + n
                lanes = slice(number * p["Cols"], (number + 1) * p["Cols"])
                rows = slice(n * p["Rows"], (n + 1) * p["Rows"])
                weights = [row[rows] for row in step["matrix"][lanes]]
            else:
                address, weights = (first + n * stride) % p["KvDepth"], None
            word, part = divmod(place + n, sub)
            timeline.at(timeline.now, valid=1, first=int(n == 0), wave_addr=address)
            timeline.at(timeline.now, wave_word=word, wave_sub=part)
            timeline.at(timeline.now, wave_prob=int(prob), wave_kv=int(kv))
            wave = {"first": n == 0, "word": word, "sub": part, "prob": prob}
            self.waves[timeline.now] = {**wave, "addr": address, "weights": weights}
            timeline.now += 1 + (random.choice((0, 0, 1, 5)) if bubbles else 0)
        timeline.now += random.choice((0, 0, 0, 2))
        if random.random() < 0.05:
            self.resets.append(timeline.now)
            timeline.reset()

    def write(self, cycle: int) -> None:
        """Random writes of one cycle."""
        p, cols, todo = self.p, self.p["Cols"], self.writes.setdefault(cycle, [])
        group = random.randrange(p["Groups"])
        if random.random() < 0.5:
            word, lanes = random.randrange(p["OpWords"]), random.getrandbits(cols)
            data = random_tile(cols, p["ActW"])
            ports = {"op_we": 1, "op_word": word, "op_group": group, "op_lanes": lanes}
            self.timeline.at(cycle, **ports, op_data=pack(data, p["ActW"]))
            todo.append((self.operands.write, word, group, lanes, data))
        if random.random() < 0.4:
            word, data = (
                random.randrange(p["ProbWords"]),
                random_tile(cols, p["ProbW"], signed=False),
            )
            ports = {"prob_we": 1, "prob_word": word, "prob_group": group}
            self.timeline.at(cycle, **ports, prob_data=pack(data, p["ProbW"]))
            todo.append((self.probs.write, word, group, (1 << cols) - 1, data))
        if random.random() < 0.7:
            self.write_kv(cycle, group)

    def write_kv(self, cycle: int, group: int) -> None:
        """A tile of values, or one wave's part of a tile of keys, written two cycles later."""
        todo = self.writes.setdefault(cycle + 2, [])
        p, cols = self.p, self.p["Cols"]
        address, is_value = random.randrange(p["KvDepth"]), random.random() < 0.5
        row, col = random.randrange(p["Rows"]), random.randrange(cols)
        sub, data = random.randrange(p["Sub"]), random_tile(cols, p["KvW"])
        ports = {"kv_is_v": int(is_value), "kv_addr": address, "kv_sub": sub, "kv_group": group}
        ports |= {"kv_row": row, "kv_col": col, "kv_data": pack(data, p["KvW"])}
        self.timeline.at(cycle, kv_we=1, **ports)
        if is_value:
            todo.append((self.kv.write_value, address, row, data))
        else:
            todo.append((self.kv.write_key, address, sub, group, col, data))

    # ---- expected
    def run(self) -> None:
        """Sums of all tiles; memories are read before they are written."""
        rows, cols = self.p["Rows"], self.p["Cols"]
        partial: dict[int, list[int]] = {}
        total = [0] * cols
        for cycle in range(self.timeline.now + rows):
            for row in range(rows):
                begin = cycle - row
                if begin in self.waves:
                    sums = partial.setdefault(begin, [0] * cols)
                    for c, product in enumerate(self.products(self.waves[begin], row)):
                        sums[c] += product
            done = cycle - rows + 1
            if done in self.waves and not self.lost(done):
                before = [0] * cols if self.waves[done]["first"] else total
                total = [a + b for a, b in zip(before, partial.pop(done), strict=True)]
                self.sums[done + rows + 6] = total
            for method, *arguments in self.writes.get(cycle, []):
                method(*arguments)

    def lost(self, begin: int) -> bool:
        """Whether a reset came before the sums of a wave were added."""
        return any(begin <= reset < begin + self.p["Rows"] + 5 for reset in self.resets)

    def products(self, wave: dict[str, Any], row: int) -> list[int]:
        """What row `row` adds to each column."""
        memory = self.probs if wave["prob"] else self.operands
        operand = memory.wave(wave["word"], wave["sub"])[row]
        if wave["weights"] is None:
            return [operand * weight for weight in self.kv.cells[row][wave["addr"]]]
        return [operand * lane[row] for lane in wave["weights"]]


@cocotb.test()
async def multiplies(dut: HierarchyObject) -> None:
    array = Array(json.loads(Path("array.json").read_text()))
    array.timeline.now += QUIET
    for _ in range(TILES):
        array.tile()
    for cycle in range(3, array.timeline.now):
        array.write(cycle)
    array.run()
    cycles = array.timeline.now + array.p["Rows"] + 7
    record = await play(dut, array.timeline, ["acc_o"], cycles)
    check, expected = Checker("array"), None
    for cycle, actual in enumerate(record["acc_o"]):
        expected = array.sums.get(cycle, expected)
        if expected is not None:
            check.lanes(f"acc_o {cycle}", expected, actual, array.p["AccW"])
    check.finish()
