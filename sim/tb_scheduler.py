"""scheduler: random programs of several tokens at once; every output in every cycle.

The bench plays the program ROM, the contexts and the streams: tokens of one stream follow each
other, unsampled ones overlap. Slots are complete always, at random, or as steps clear them.
"""

import random
from collections import Counter
from itertools import pairwise
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from sim.bench import RESET_CYCLES, Checker, pack, parameters, read
from sim.scheduler_reference import Reference, Shown, Token
from sim.tb_sequencer import Step, Wave
from sim.tb_sequencer import draw_step as draw_waves

CYCLES = 600  # of a program
MODES = ("always", "random", "slots")
WAVE = ("first", "last", "final", "step", "tile", "word", "sub", "prob", "addr", "kv")


def draw_step(number: int, p: dict[str, int], **fields: int) -> Step:
    """A random step that ends nothing."""
    step = draw_waves(number, 0, p) | {"sample_only": 0, "layer": 0, "sticky": 0, "attended": 0}
    return step | {"score": int(random.random() < 0.3)} | fields


def draw_program(p: dict[str, int], head: int) -> list[Step]:
    """Two steps of scores too close for the softmax, layers, `head` steps of sampled tokens."""
    close = {"score": 1, "inner": 0, "inner_pos": 0, "outer_pos": 0}
    program = [draw_step(0, p, **close, outer=5), draw_step(1, p, **close, outer=0)]
    for _ in range(random.randint(1, (1 << p["LayerW"]) - 1)):
        group, after = random.randint(1, 3), random.randint(0, 2)
        layer = [draw_step(0, p, score=int(random.random() < 0.5)) for _ in range(group + after)]
        layer[0]["layer"] = layer[group - 1]["attended"] = 1
        program += layer
    for _ in range(head):
        program.append(draw_step(0, p, sample_only=1))
    for step, following in pairwise(program):
        apart = following["layer"] or following["sample_only"] > step["sample_only"]
        step["sticky"] = int(not apart and (step is program[0] or random.random() < 0.3))
    program[-1]["last"] = 1
    return program


def fields_of(program: list[Step], address: int, p: dict[str, int]) -> dict[str, int]:
    """A word of the program ROM; a random one outside the program."""
    if address >= len(program):
        program, address = [draw_step(0, p, sticky=random.getrandbits(1))] * 2, 0
    step, last = program[address], address + 1 >= len(program)
    after = draw_step(0, p) if last else program[address + 1]
    names = ("slot", "gate", "layer", "sample")
    following = (after["slot"], after["gate"], after["layer"], after["sample_only"])
    word = {f"f_{name}": value for name, value in step.items() if name != "layer"}
    return word | {f"f_next_{n}": value for n, value in zip(names, following, strict=True)}


class Streams:
    """Which token begins when, in which context."""

    def __init__(self, contexts: int) -> None:
        self.contexts = contexts
        self.active: list[Token | None] = [None] * contexts  # by context
        self.latest: dict[int, Token] = {}  # by stream
        self.left: dict[int, int] = {}  # cycles until a sampled token is known, by context

    def free(self, token: Token) -> None:
        self.active[token.context] = None

    def draw(self, p: dict[str, int], share: float) -> Token | None:
        """A new token, if a context is free and a stream may go on."""
        empty = [c for c, token in enumerate(self.active) if token is None]
        if not empty or random.random() >= share:
            return None
        stream = random.randrange(self.contexts)
        before = self.latest.get(stream)
        if before and self.active[before.context] is not before:
            before = None
        if before and before.sampled:
            return None
        span = min(p["Rows"] << p["CountW"], p["Rows"] * p["Sub"] << p["TileW"], 8 * p["Rows"])
        token = Token(random.choice(empty), random.randrange(span), random.random() < 0.3, before)
        self.latest[stream] = token
        return token


class Bench:
    """One simulation."""

    def __init__(self, dut: Any, what: str) -> None:
        self.dut, self.p, self.check = dut, parameters(), Checker(what)
        self.contexts, self.cycle, self.address = self.p["Contexts"], 0, 0
        self.seen: Counter[str] = Counter()
        self.begin([draw_step(0, self.p, last=1)])

    def begin(self, program: list[Step]) -> None:
        """As after a reset, with another program."""
        self.program = program
        self.reference = Reference(program, self.p)
        self.streams = Streams(self.contexts)
        self.complete = [[False] * self.p["Slots"] for _ in range(self.contexts)]
        self.offsets = [random.getrandbits(self.p["AddrW"]) for _ in range(self.contexts)]
        self.issued: tuple[int, Wave] | None = None
        self.owner = 0  # context of the step in progress
        self.loads: list[int] = []

    def draw_slots(self, mode: str) -> None:
        """What is complete in this cycle; in mode `slots` only a load takes something back."""
        for slots in self.complete:
            for slot in range(len(slots)):
                if mode == "slots":
                    slots[slot] |= slot == 0 or random.random() < 0.1
                else:
                    slots[slot] = mode == "always" or random.random() < 0.6

    async def tick(self, mode: str, token: Token | None = None, *, reset: bool = False) -> None:
        """One cycle; `token` begins."""
        dut, p = self.dut, self.p
        await FallingEdge(dut.clk_i)
        self.draw_slots(mode)
        context, at = read(dut.load_ctx_o), self.reference.picked
        values = fields_of(self.program, self.address, p) | self.start_ports(token)
        owner = self.reference.tokens[context] if isinstance(context, int) else None
        if at is not None and owner is not None:
            position = owner.position
            values |= {"pos_waves": position // p["Rows"]}
            values |= {"pos_tiles": position // (p["Rows"] * p["Sub"])}
            values |= {"kv_offset": self.offsets[owner.context]}
        values |= {"complete": pack([bit for slots in self.complete for bit in slots], 1)}
        for name, value in (values | {"rst": int(reset)}).items():
            getattr(dut, f"{name}_i").value = value
        await Timer(1, "ns")
        address = read(dut.step_addr_o)
        self.address = address if isinstance(address, int) else 0
        shown = self.reference.advance(
            self.cycle, lambda c, slot: self.complete[c][slot], lambda c: self.offsets[c]
        )
        if self.cycle >= RESET_CYCLES:
            self.compare(shown)
        self.update(shown, token)
        self.cycle += 1
        if reset:
            self.begin(self.program)

    def start_ports(self, token: Token | None) -> dict[str, int]:
        """The ports of a start: random when nothing starts, the predecessor when there is none."""
        other, bit = random.randrange(self.contexts), random.getrandbits(1)
        if token is None:
            ports = {"": 0, "_ctx": other, "_sampled": bit, "_pred_valid": bit, "_pred": other}
        else:
            pred = token.before.context if token.before else other
            ports = {"": 1, "_ctx": token.context, "_sampled": int(token.sampled)}
            ports |= {"_pred_valid": int(token.before is not None), "_pred": pred}
        return {f"start{name}": value for name, value in ports.items()}

    def update(self, shown: Shown, token: Token | None) -> None:
        """The end of the cycle: contexts, slots, the wave that will be seen."""
        self.issued = (self.owner, shown.wave) if shown.wave else None
        self.seen.update(shown.events)
        for ended in shown.done:
            self.streams.free(ended)
            self.seen["done"] += 1
        for context in list(self.streams.left):
            self.streams.left[context] -= 1
            if self.streams.left[context] == 0:
                del self.streams.left[context]
                self.streams.active[context] = None
        if shown.load is not None:
            self.owner = shown.load.context
            self.loads.append(self.cycle)
            self.complete[self.owner][self.program[shown.step]["clear"]] = False
            if self.program[shown.step]["last"]:
                self.streams.left[self.owner] = random.randint(1, 20)
        if token is not None:
            self.reference.start(token)
            self.streams.active[token.context] = token
            self.seen["overlap"] += token.before is not None

    def equal(self, port: str, expected: int) -> None:
        actual = read(getattr(self.dut, port))
        self.check.equal(f"{port}, cycle {self.cycle}", int(expected), actual)

    def compare(self, shown: Shown) -> None:
        """All outputs of this cycle; the wave was issued in the cycle before."""
        self.equal("wave_valid_o", self.issued is not None)
        if self.issued is not None:
            context, wave = self.issued
            self.equal("wave_ctx_o", context)
            for name in WAVE:
                self.equal(f"wave_{name}_o", wave[name])
        self.equal("issue_o", shown.wave is not None)
        self.equal("loaded_o", shown.loaded is not None)
        self.equal("picked_o", shown.picked is not None)
        self.equal("waiting_o", shown.waiting)
        if shown.picked is not None:
            self.equal("step_addr_o", shown.picked)
        if shown.loaded is not None or shown.picked is not None:
            self.equal("at_step_o", shown.loaded if shown.loaded is not None else shown.picked or 0)
        self.equal("load_o", shown.load is not None)
        if shown.load is not None:
            self.equal("load_ctx_o", shown.load.context)
            self.equal("clear_slot_o", self.program[shown.step]["clear"])
        done = [token.context for token in shown.done]
        self.equal("done_o", sum(1 << context for context in done))


async def reset(bench: Bench, program: list[Step]) -> None:
    """A clean start with a program."""
    for _ in range(RESET_CYCLES):
        await bench.tick("random", reset=True)
    bench.begin(program)


@cocotb.test()
async def takes_turns(dut: Any) -> None:
    """Programs x modes, with resets on the way."""
    Clock(dut.clk_i, 10, "ns").start(start_high=False)
    bench = Bench(dut, "scheduler")
    for mode in MODES:
        for share, head in ((1.0, random.randint(1, 3)), (0.1, random.randint(0, 3))):
            await reset(bench, draw_program(bench.p, head))
            reset_at = random.randrange(CYCLES)
            for cycle in range(CYCLES):
                token = bench.streams.draw(bench.p, share)
                await bench.tick(mode, token, reset=cycle == reset_at)
    wanted = ("turn", "sticky", "softmax", "overlap", "layer", "done")
    missing = [name for name in wanted if not bench.seen[name]]
    assert not missing, f"never happened: {missing}"
    bench.check.finish()


@cocotb.test()
async def keeps_the_latencies(dut: Any) -> None:
    """The numbers of the header, read from the machine: one context, everything complete."""
    Clock(dut.clk_i, 10, "ns").start(start_high=False)
    bench = Bench(dut, "latencies of the scheduler")
    for inner, sticky in ((0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1), (4, 0), (4, 1)):
        quiet = {"inner": inner, "inner_pos": 0, "outer": 0, "outer_pos": 0, "score": 0}
        program = [draw_step(0, bench.p, **quiet, sticky=sticky) for _ in range(5)]
        program[-1] |= {"last": 1, "sticky": 0}
        await reset(bench, program)
        begin, loads, waves = bench.cycle, [], []
        for cycle in range(60):
            await bench.tick("always", Token(0, 0, True) if cycle == 0 else None)
            loads += [bench.cycle - 1] if read(dut.load_o) == 1 else []
            waves += [bench.cycle - 1] if read(dut.wave_valid_o) == 1 else []
        pace = max(2 if sticky else 3, inner + 1)
        ready = begin + 1  # the first cycle in which the token runs
        where = f"of steps of {inner + 1} waves, sticky {sticky}"
        bench.check.equal(f"first load {where}", 2, loads[0] - ready)
        bench.check.equal(f"first wave {where}", 4, waves[0] - ready)
        for before, after in pairwise(loads):
            bench.check.equal(f"pace {where}", pace, after - before)
        bench.check.equal(f"waves {where}", 5 * (inner + 1), len(waves))
    bench.check.finish()
