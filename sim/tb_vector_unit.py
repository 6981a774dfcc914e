"""vector_unit: random steps of every destination, as dense as its ports allow; embeddings; resets.

All ports are driven from a timeline: a field, parameter or table word is there in the one cycle in
which the unit may read it, and random bits are there in all others.
"""

import random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.handle import HierarchyObject
from cocotb.triggers import FallingEdge, Timer

from sim.bench import Checker, Record, Timeline, pack, parameters, pick, read, saturate
from sim.vector_reference import (
    LOGIT,
    OPERAND,
    QKV,
    QUERY,
    RESIDUAL,
    SCORE,
    VALUE,
    Params,
    Tile,
    draw_step,
    draw_tiles,
    finish,
)

TOKENS, STEPS = 24, 8  # tokens, steps of a token
SLOT_X = 2
VALIDS = ["x_valid_o", "op_we_o", "kv_valid_o", "score_valid_o", "logit_valid_o", "event_valid_o"]
VALIDS += ["trace_valid_o", "trace_qkv_valid_o"]

Lanes = tuple[list[int], int]  # values of a packed output, and their width
Outputs = dict[str, int | Lanes]


def data_widths(p: Params) -> dict[str, int]:
    """All inputs that are random when nothing is said."""
    cols, pairs = p["Cols"], p["Cols"] // 2 * 16
    fields = {"param": p["ParamW"], "per_tile": 1, "scalar": 2, "head": p["HeadW"], "bits": 5}
    fields |= {"exponent": 7, "act": 1, "dest": 3, "lanes": cols, "dst_word": p["OpWordW"]}
    fields |= {"dst_group": p["GroupW"], "dst_kv": p["KvAddrW"], "dst_slot": p["SlotW"]}
    fields |= {"amount": p["LenW"], "final": 1}
    data = {f"f_{name}": width for name, width in fields.items()}
    data |= {"tag_final": 1, "tag_step": p["StepW"], "tag_tile": p["TileW"], "pos": p["PosW"]}
    data |= {"acc": cols * p["AccW"], "shift_data": cols * 5, "bias_data": cols * p["BiasW"]}
    data |= {"bump_data": cols * p["BumpW"], "cos": pairs, "sin": pairs}
    data |= {"norm_mant": 16, "norm_exp": 6}
    data |= {"recip_mant": p["Heads"] * 16, "recip_exp": p["Heads"] * 6}
    data |= {"embed_tile": p["XTileW"], "embed_first": 1, "embed_last": 1}
    return data | {"embed_data": cols * 16}


class Schedule:
    """Places tiles in time, drives the timeline, and notes every expected output by cycle."""

    def __init__(self) -> None:
        self.p = p = parameters()
        self.timeline = Timeline(["tag_valid", "embed_valid"], data_widths(p))
        largest = min(p.get("HiddenZero", 0), (1 << p["BumpW"]) - 1)
        self.bump = [random.randint(0, largest) for _ in range(1 << p["BumpAddrW"])]
        self.expected: dict[int, Outputs] = {}
        self.addressed: dict[int, Outputs] = {}  # addresses
        self.x = [[0] * p["Cols"] for _ in range(p["XTiles"])]
        self.op_busy: set[int] = set()  # cycles in which the operand memory is written
        self.position = 0

    # ---- time
    def late(self, dest: int) -> int:
        """Cycles from the sums to the write."""
        return 8 + self.p["Bump"] + (self.p["RopeLatency"] if dest in QKV else 0)

    def free(self, dest: int, start: int) -> bool:
        """Whether sums in `start` meet nothing at the operand memory."""
        writes = dest in (OPERAND, RESIDUAL, QUERY)
        return not writes or start + self.late(dest) not in self.op_busy

    def expect(self, cycle: int, **outputs: int | Lanes) -> None:
        """Outputs of a cycle; valid bits of several causes are merged."""
        here = self.expected.setdefault(cycle, {})
        for name, value in outputs.items():
            before = here.get(name, 0)
            if name == "event_valid_o" and isinstance(before, int) and isinstance(value, int):
                value |= before
            here[name] = value

    # ---- one token
    def token(self) -> None:
        """An embedding, then steps; a new position only when the unit is empty."""
        self.position = random.getrandbits(self.p["PosW"])
        begin = self.timeline.now
        self.embed()
        for _ in range(STEPS):
            step = draw_step(self.p)
            for tile in draw_tiles(self.p, step, self.position):
                self.place(tile)
            self.timeline.now += random.choice((1, 1, 1, 2))  # a residual tile is not back before
        self.timeline.now += 20 + self.p["RopeLatency"]
        for cycle in range(begin, self.timeline.now):
            self.timeline.at(cycle, pos=self.position)

    def embed(self) -> None:
        """All tiles of a new token, close or apart."""
        p, cols, top = self.p, self.p["Cols"], 2 ** (self.p["ResidualW"] - 1) - 1
        for tile in range(p["XTiles"]):
            now, last = self.timeline.now, tile == p["XTiles"] - 1
            x = [pick((-top, top, 0), -top, top) for _ in range(cols)]
            self.x[tile] = x
            first = int(tile == 0)
            self.timeline.at(now, embed_valid=1, embed_tile=tile, embed_data=pack(x, 16))
            self.timeline.at(now, embed_first=first, embed_last=int(last))
            word, group = divmod(tile, p["Groups"])
            self.write(now, word, group, (1 << cols) - 1, x)
            self.residual(now, tile == 0, last, x)
            self.timeline.now += random.choice((1, 1, 2))

    def place(self, t: Tile) -> None:
        """Drive one tile of a step as early as it may come."""
        p, dest = self.p, t.step["dest"]
        start = self.timeline.now + 5
        while not self.free(dest, start):
            start += 1
        finish(t, p, self.bump)
        if dest == RESIDUAL:
            pairs = zip(self.x[t.tile], t.z, strict=True)
            t.result = [saturate(a + b, p["ResidualW"]) for a, b in pairs]
            self.x[t.tile] = t.result
        self.drive(t, start)
        self.addresses(t, start)
        self.destination(t, start + self.late(dest))
        close = p["RopePasses"] if p["Rope"] and dest in QKV else 1
        again = 3 + p["Bump"] if dest == RESIDUAL else 1  # the same tile may come in the next step
        self.timeline.now = start - 5 + max(close, again if t.final else 1)
        self.timeline.now += random.choice((0, 0, 0, 1, 3))

    def drive(self, t: Tile, start: int) -> None:
        """Every input in its cycle."""
        p, at, fields = self.p, self.timeline.at, t.step.fields
        at(start - 5, tag_valid=1, tag_final=int(t.final), tag_step=t.step.number, tag_tile=t.tile)
        at(
            start - 4,
            **{
                f"f_{name}": value & 0x7F if name == "exponent" else value
                for name, value in fields.items()
            },
        )
        at(start, acc=pack(t.acc, p["AccW"]))
        at(start - 2, shift_data=pack(t.shift, 5))
        at(start - 1, norm_mant=t.norm[0], norm_exp=t.norm[1])
        at(start - 1, recip_mant=pack([mantissa for mantissa, _ in t.recip], 16))
        at(start - 1, recip_exp=pack([exponent for _, exponent in t.recip], 6))
        at(start + 3, bias_data=pack(t.bias, p["BiasW"]))
        cells = [min(abs(z) >> p["BumpShift"], len(self.bump) - 1) for z in t.z]
        at(start + 8, bump_data=pack([self.bump[cell] for cell in cells], p["BumpW"]))
        at(start + 8 + p["Bump"], cos=pack(t.cos, 16), sin=pack(t.sin, 16))

    def addresses(self, t: Tile, start: int) -> None:
        """Of the ROMs, in the cycle in which each is read."""
        p = self.p
        param = (t.step["param"] + t.step["per_tile"] * t.tile) % (1 << p["ParamW"])
        self.fix(start - 5, step_addr_o=t.step.number)
        self.fix(start - 3, shift_addr_o=param)
        self.fix(start + 2, bias_addr_o=param)
        if p["Bump"]:
            cells = [min(abs(z) >> p["BumpShift"], len(self.bump) - 1) for z in t.z]
            self.fix(start + 7, bump_addr_o=(cells, p["BumpAddrW"]))
        if p["Rope"] and t.step["dest"] in QKV:
            place = t.position * p["RopePeriod"] + t.tile % p["RopePeriod"]
            self.fix(start + 7 + p["Bump"], rope_addr_o=place % (1 << p["RopeAddrW"]))

    def fix(self, cycle: int, **outputs: int | Lanes) -> None:
        self.addressed.setdefault(cycle, {}).update(outputs)

    # ---- what comes out
    def destination(self, t: Tile, cycle: int) -> None:
        """Outputs of a tile in the cycle of its write."""
        p, step, dest = self.p, t.step, t.step["dest"]
        trace = "trace_qkv" if dest in QKV else "trace"
        self.expect(cycle, **{f"{trace}_valid_o": 1, f"{trace}_step_o": step.number})
        self.expect(cycle, **{f"{trace}_tile_o": t.tile})
        self.expect(cycle, **{f"{trace}_data_o": (t.result, 16)})
        place = step["dst_word"] * p["Groups"] + step["dst_group"] + t.tile
        if dest in (OPERAND, RESIDUAL, QUERY):
            word, group = divmod(place, p["Groups"])
            self.write(cycle, word % (1 << p["OpWordW"]), group, step["lanes"], t.result)
        if dest == RESIDUAL:
            self.residual(cycle, t.tile == 0, t.final, t.result)
        elif dest in (OPERAND, QUERY):
            event = int(dest == QUERY), step["dst_slot"], step["amount"]
            self.event(cycle, *event, int(t.final and step["final"]))
        elif dest in (SCORE, LOGIT):
            name = "score" if dest == SCORE else "logit"
            self.expect(cycle, **{f"{name}_valid_o": 1, "tile_o": t.tile, "final_o": int(t.final)})
            self.expect(cycle, data_o=(t.result, 16))
            if dest == SCORE:
                self.expect(cycle, score_head_o=step["head"])
        else:
            self.expect(cycle, kv_valid_o=1, kv_is_v_o=int(dest == VALUE), kv_last_o=int(t.final))
            self.expect(cycle, kv_first_o=int(t.tile == 0), kv_base_o=step["dst_kv"])
            self.expect(cycle, kv_data_o=(t.result, p["KvW"]))

    def write(self, cycle: int, word: int, group: int, lanes: int, data: list[int]) -> None:
        """A tile into the operand memory, through the register of its port."""
        self.op_busy.add(cycle)
        self.expect(cycle + 1, op_we_o=1, op_word_o=word, op_group_o=group, op_lanes_o=lanes)
        self.expect(cycle + 1, op_data_o=(data, self.p["ActW"]))

    def residual(self, cycle: int, first: bool, last: bool, data: list[int]) -> None:
        """A tile of the residual stream, and its later announcement."""
        self.expect(cycle + 1, x_valid_o=1, x_first_o=int(first), x_last_o=int(last))
        self.expect(cycle + 1, x_data_o=(data, 16))
        self.event(cycle + self.p["NormWait"], 2, SLOT_X, self.p["Cols"], int(last))

    def event(self, cycle: int, port: int, slot: int, amount: int, final: int) -> None:
        """A scoreboard event on one of the three ports."""
        self.expect(cycle, event_valid_o=1 << port)
        self.expect(cycle, **{f"slot {port}": slot, f"amount {port}": amount})
        self.expect(cycle, **{f"final {port}": final})

    def reset(self) -> None:
        """Drop what is on its way; the residual memory is unknown until the next embedding."""
        self.timeline.reset(self.expected, self.addressed)
        self.op_busy.clear()


async def observe(dut: Any, timeline: Timeline, outputs: list[str], cycles: int) -> Record:
    """As bench.play, but outputs are read after the inputs of their cycle: some follow at once."""
    Clock(dut.clk_i, 10, "ns").start(start_high=False)
    inputs = {name: getattr(dut, f"{name}_i") for name in timeline.cycles}
    watched = {name: getattr(dut, name) for name in outputs}
    record: Record = {name: [] for name in outputs}
    for cycle in range(cycles):
        await FallingEdge(dut.clk_i)
        for name, handle in inputs.items():
            handle.value = timeline.value(name, cycle)
        await Timer(1, "ns")
        for name, handle in watched.items():
            record[name].append(read(handle))
    return record


def part(record: Record, name: str, cycle: int) -> int | str:
    """An output port, or "<what> <n>": the part of scoreboard event n."""
    if " " not in name:
        return record[name][cycle]
    what, number = name.split()
    width = {"slot": parameters()["SlotW"], "amount": parameters()["LenW"], "final": 1}[what]
    word, low = record[f"event_{what}_o"][cycle], int(number) * width
    if isinstance(word, int):
        return word >> low & ((1 << width) - 1)
    bits = word[len(word) - low - width : len(word) - low]  # the events beside it may be unknown
    return bits if "X" in bits else int(bits, 2)


def compare(check: Checker, record: Record, schedule: Schedule) -> None:
    """Valid bits in every cycle, and all that belongs to them."""
    for cycle in range(4, len(record["op_we_o"])):
        here = schedule.expected.get(cycle, {})
        for name in VALIDS:
            if name not in here:
                check.equal(f"{name} {cycle}", 0, record[name][cycle])
        for name, value in [*here.items(), *schedule.addressed.get(cycle, {}).items()]:
            if isinstance(value, tuple):
                check.lanes(f"{name} {cycle}", value[0], record[name][cycle], value[1])
            else:
                check.equal(f"{name} {cycle}", value, part(record, name, cycle))


@cocotb.test()
async def finishes(dut: HierarchyObject) -> None:
    schedule = Schedule()
    for _ in range(TOKENS):
        schedule.token()
        if random.random() < 0.4:
            schedule.timeline.now -= random.randint(5, 18 + schedule.p["RopeLatency"])
            schedule.reset()
    names = {
        name
        for here in (*schedule.expected.values(), *schedule.addressed.values())
        for name in here
    }
    ports = {name for name in names if " " not in name}
    ports |= {f"event_{what}_o" for what in ("valid", "slot", "amount", "final")} | set(VALIDS)
    record = await observe(dut, schedule.timeline, sorted(ports), schedule.timeline.now + 30)
    check = Checker("vector_unit")
    compare(check, record, schedule)
    check.finish()
