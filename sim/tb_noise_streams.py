"""noise_streams: draws of all contexts in turn, seeding while others draw, reads; resets.

Streams draw at random; ready_o is compared in every cycle from a context's first draw on.
"""

import random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from sim.bench import RESET_CYCLES, Checker, Table, pack, parameters, read, round_shift
from sim.tb_noise import GOLDEN_RATIO, cell, rare_seed, step, temperature

CYCLES = 2500
DISCARD = 16  # draws after a seeding that nobody sees
BEFORE, BEHIND = 1, 10  # cycles from the choice to the first step, and behind the last


class Reference:
    """The queue and the generators."""

    def __init__(self, gumbel: list[int]) -> None:
        self.gumbel, self.vocab = gumbel, parameters()["Vocab"]
        self.states: dict[int, int] = {}  # of seeded streams
        self.values: dict[int, list[int]] = {}  # of contexts
        self.temp = [0] * parameters()["Streams"]  # of streams
        self.stream = [0] * parameters()["Streams"]  # of contexts
        self.clear()

    def clear(self) -> None:
        """As after a reset: nothing is known."""
        self.wanted: set[int] = set()
        self.ready: dict[int, int] = {}  # context: cycle from which it is ready
        self.states, self.fresh, self.turn, self.free = {}, set[int](), 0, 0

    def open(self, stream: int, now: int) -> bool:
        """Whether a draw of a stream waits or is in progress."""
        mine = [context for context, owner in enumerate(self.stream) if owner == stream]
        return any(c in self.wanted or self.ready.get(c, 0) > now for c in mine)

    def advance(self, now: int) -> None:
        """A draw that begins in this cycle."""
        if not self.wanted or now < self.free:
            return
        self.turn = min([c for c in self.wanted if c > self.turn] or self.wanted)
        self.wanted.remove(self.turn)
        stream = self.stream[self.turn]
        temp, count = self.temp[stream], self.vocab
        self.values[self.turn], self.free = [0] * count, now + BEFORE + 1
        if temp:
            discarded = DISCARD if stream in self.fresh else 0
            self.fresh.discard(stream)
            for _ in range(discarded):
                self.states[stream] = step(self.states[stream])
            for n in range(count):
                self.states[stream] = step(self.states[stream])
                value = self.gumbel[cell(self.states[stream])] * temp
                self.values[self.turn][n] = round_shift(value, 12)
            self.free = now + BEFORE + discarded + count + BEHIND
        self.ready[self.turn] = self.free


class Bench:
    """One simulation."""

    def __init__(self, dut: Any) -> None:
        self.dut, self.p, self.check = dut, parameters(), Checker("noise_streams")
        self.width = self.p.get("NoiseW", 20)
        top = 32768 if self.width == 20 else 16383
        self.table = Table("gumbel", [random.randrange(-top, top) for _ in range(1024)], 10, 16)
        self.reference = Reference(list(self.table.entries))
        self.tiles = -(-self.p["Vocab"] // self.p["C"])
        self.row: list[int] | None = None  # what was read in the cycle before
        self.cycle, self.waited = 0, 0
        self.answer = 0  # of the table, to the address of the cycle before

    async def tick(self, share: float, *, reset: bool = False) -> None:
        """One cycle; `share`: how often something is asked for."""
        reference, p, now, dut = self.reference, self.p, self.cycle, self.dut
        await FallingEdge(dut.clk_i)
        if self.row is not None:
            self.check.lanes(f"noise_o {now}", self.row, read(dut.noise_o), self.width)
        streams, seeds, load = p["Streams"], [], 0
        for stream in range(streams):
            seeds.append(random.choice((0, GOLDEN_RATIO, random.getrandbits(32), rare_seed())))
            if not reference.open(stream, now):
                reference.temp[stream] = temperature()
                new = stream not in reference.states or random.random() < 0.02
                load |= int(not reset and new) << stream
        busy = [c in reference.wanted or reference.ready.get(c, 0) > now for c in range(streams)]
        for context in range(streams):
            if not busy[context]:
                reference.stream[context] = random.randrange(streams)
        idle = [c for c in range(streams) if not busy[c] and reference.stream[c] not in self.bars()]
        draw = random.choice(idle) if idle and not reset and random.random() < share else None
        readable = [c for c in range(streams) if reference.ready.get(c, now + 1) <= now]
        context = random.choice(readable) if readable else random.randrange(streams)
        tile = random.randrange(self.tiles)
        values = {"rst": int(reset), "load": load, "seed": pack(seeds, 32)}
        values |= {"temp": pack(reference.temp, 16), "draw": int(draw is not None)}
        values |= {"ctx_stream": pack(reference.stream, p["CtxW"])}
        values |= {"draw_ctx": random.randrange(streams) if draw is None else draw}
        values |= {"read_ctx": context, "read_tile": tile}
        values |= {"gumbel_data": self.answer}
        for name, value in values.items():
            getattr(dut, f"{name}_i").value = value
        await Timer(1, "ns")
        self.answer = self.table.look_up(read(dut.gumbel_addr_o))
        for number in [*reference.ready, *reference.wanted]:
            ready = number not in reference.wanted and reference.ready[number] <= now
            bits = read(dut.ready_o)
            text = bits if isinstance(bits, str) else f"{bits:0{streams}b}"
            actual = text[streams - 1 - number]
            known = int(actual) if actual in "01" else actual
            self.check.equal(f"ready_o of {number}, cycle {now}", int(ready), known)
        lanes = p["C"]
        self.row = None
        if readable:
            row = reference.values[context][tile * lanes : (tile + 1) * lanes]
            self.row = row + [0] * (lanes - len(row))
        self.waited += bool(reference.wanted) and now < reference.free
        reference.advance(now)
        for stream in range(streams):
            if load >> stream & 1:
                reference.states[stream] = (seeds[stream] ^ GOLDEN_RATIO) or GOLDEN_RATIO
                reference.fresh.add(stream)
        if draw is not None:
            reference.ready.pop(draw, None)
            reference.wanted.add(draw)
        self.cycle += 1
        if reset:
            reference.clear()

    def bars(self) -> set[int]:
        """Streams that are not seeded yet."""
        return set(range(self.p["Streams"])) - set(self.reference.states)


@cocotb.test()
async def draws(dut: Any) -> None:
    Clock(dut.clk_i, 10, "ns").start(start_high=False)
    bench = Bench(dut)
    for share in (1.0, 0.02, 0.2):
        for _ in range(RESET_CYCLES):
            await bench.tick(0.0, reset=True)
        for _ in range(CYCLES // 3 + random.randrange(50)):
            await bench.tick(share)
    assert bench.waited, "no context waited for another"
    bench.check.finish()
