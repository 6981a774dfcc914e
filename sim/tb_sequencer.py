"""sequencer: random programs, never stalled, stalled at random, and stalled by a scoreboard.

The reference unrolls the two loops of every step; a wave must appear in the first cycle in which it
may, so nothing is lost, doubled, late or early. Resets and early ends (not sampled) in between.
"""

import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from sim.bench import RESET_CYCLES, Checker, parameters, read
from sim.tb_scoreboard import Slots

TOKENS = 24
FETCH = 2  # cycles from a start, or from the start of a step, to the next step's earliest start
SLOTS = 10

Step = dict[str, int]
Wave = dict[str, int]


def draw_step(number: int, steps: int, p: dict[str, int]) -> Step:
    """Fields of a random step; short loops mostly."""
    return {
        "slot": random.randrange(SLOTS),
        "clear": random.choice((0, random.randrange(SLOTS))),
        "gate": random.choice((0, random.randrange(SLOTS))),
        "prob": random.randint(0, 1),
        "word": random.getrandbits(p["OpWordW"]),
        "sub": random.randrange(p["Sub"]),
        "inner": random.choice((0, 1, 2, random.randrange(min(9, 1 << p["CountW"])))),
        "inner_pos": int(random.random() < 0.2),
        "outer": random.choice((0, 0, 1, random.randrange(min(6, 1 << p["TileW"])))),
        "outer_pos": int(random.random() < 0.2),
        "kv": random.randint(0, 1),
        "addr": random.getrandbits(p["AddrW"]),
        "inner_stride": random.getrandbits(p["AddrW"]),
        "outer_stride": random.getrandbits(p["AddrW"]),
        "sample_only": int(random.random() < 0.15),
        "last": int(number == steps - 1),
    }


def unroll(number: int, step: Step, position: int, p: dict[str, int]) -> list[Wave]:
    """All waves of a step, with the elements `need` that its operand must have by then."""
    inner = position // p["Rows"] if step["inner_pos"] else step["inner"]
    outer = position // (p["Rows"] * p["Sub"]) if step["outer_pos"] else step["outer"]
    waves = []
    for tile in range(outer + 1):
        for n in range(inner + 1):
            place = step["word"] * p["Sub"] + step["sub"] + n
            address = step["addr"] + tile * step["outer_stride"] + n * step["inner_stride"]
            wave = {"first": int(n == 0), "last": int(n == inner), "step": number, "tile": tile}
            wave |= {"final": int(n == inner and tile == outer)}
            wave |= {"word": place // p["Sub"] % (1 << p["OpWordW"]), "sub": place % p["Sub"]}
            wave |= {"addr": address % (1 << p["AddrW"]), "prob": step["prob"], "kv": step["kv"]}
            waves.append({**wave, "need": (n + 1) * p["Rows"] % (1 << p["LenW"])})
    return waves


def next_need(waves: Sequence[Wave], issues: bool) -> int:
    """What the wave of the next cycle needs, if no step is loaded."""
    if not issues:
        return waves[0]["need"]
    return waves[1]["need"] if len(waves) > 1 else parameters()["Rows"]


@dataclass
class Reference:
    """Which wave may leave in which cycle."""

    steps: deque[tuple[Step, list[Wave]]] = field(default_factory=deque)
    step: Step = field(default_factory=dict)
    waves: deque[Wave] = field(default_factory=deque)  # of the step in progress
    earliest: int = 0  # cycle of the next step's start
    cut: bool = False  # the program ends before a step that is only for sampled tokens
    running: bool = False

    def start(self, cycle: int, program: list[Step], sampled: bool, position: int) -> None:
        p, self.cut, self.running = parameters(), False, True
        self.earliest = cycle + FETCH
        for number, step in enumerate(program):
            if step["sample_only"] and not sampled:
                self.cut = True
                break
            self.steps.append((step, unroll(number, step, position, p)))

    def advance(self, cycle: int, allowed: bool) -> tuple[Wave | None, Step | None]:
        """One cycle: the wave that is issued, and the step that begins."""
        wave = self.waves.popleft() if self.waves and allowed else None
        if self.waves or not self.running or (self.steps and cycle < self.earliest):
            return wave, None
        if self.steps:
            self.step, waves = self.steps.popleft()
            self.waves.extend(waves)
            self.earliest = cycle + FETCH
            return wave, self.step
        self.running = self.cut and cycle < self.earliest
        return wave, None


class Bench:
    """One simulation: drives, answers as program ROM and scoreboard, compares every cycle."""

    def __init__(self, dut: Any) -> None:
        self.dut, self.p, self.check = dut, parameters(), Checker("sequencer")
        self.cycle, self.slots = 0, Slots(SLOTS)
        self.program: list[Step] = []
        self.address = 0
        self.reference = Reference()
        self.issued: Wave | None = None
        self.issue_cycles: list[int] = []

    def allowed(self, stall: str) -> tuple[bool, bool]:
        """ready_i and gate_ready_i."""
        if stall == "never":
            return True, True
        if stall == "random":
            return random.random() < 0.6, random.random() < 0.8
        if not self.reference.waves:
            return False, False
        step, need = self.reference.step, self.reference.waves[0]["need"]
        ready = self.slots.ready(step["slot"], need, False)
        return ready, self.slots.is_complete(step["gate"], False)

    def drive(self, **values: int) -> None:
        for name, value in values.items():
            getattr(self.dut, f"{name}_i").value = value

    async def tick(
        self, stall: str, token: dict[str, int] | None = None, *, reset: bool = False
    ) -> None:
        """One cycle; `token` starts a program: ports that are constant until the next start."""
        start = token is not None
        await FallingEdge(self.dut.clk_i)
        inside = self.address < len(self.program)
        fields = self.program[self.address] if inside else draw_step(0, 2, self.p)
        ready, gate = self.allowed(stall)
        self.drive(rst=int(reset), start=int(start), ready=int(ready), gate_ready=int(gate))
        self.drive(**{f"f_{name}": value for name, value in fields.items()}, **token or {})
        await Timer(1, "ns")
        address = read(self.dut.step_addr_o)
        self.address = address if isinstance(address, int) else 0
        self.compare(ready and gate, start, reset)
        if stall == "scoreboard":
            self.write_slots()
        self.cycle += 1

    def compare(self, allowed: bool, start: bool, reset: bool) -> None:
        """Outputs of this cycle; the wave was issued in the cycle before."""
        dut, check, now = self.dut, self.check, self.cycle
        if now >= RESET_CYCLES:
            check.equal(f"wave_valid_o {now}", int(bool(self.issued)), read(dut.wave_valid_o))
            for name, value in (self.issued or {}).items():
                if name != "need":
                    actual = read(getattr(dut, f"wave_{name}_o"))
                    check.equal(f"wave_{name}_o {now} of {self.issued}", value, actual)
            idle = int(not self.reference.running and not start)
            check.equal(f"idle_o {now}", idle, read(dut.idle_o))
            check.equal(f"running_o {now}", int(self.reference.running), read(dut.running_o))
            loaded, issues = bool(self.reference.waves), bool(self.reference.waves) and allowed
            check.equal(f"loaded_o {now}", int(loaded), read(dut.loaded_o))
            check.equal(f"issue_o {now}", int(issues), read(dut.issue_o))
            if loaded:
                number = self.reference.waves[0]["step"]
                check.equal(f"at_step_o {now}", number, read(dut.at_step_o))
            elif self.reference.running and self.reference.earliest == now:
                check.equal(f"at_step_o {now}", self.address, read(dut.at_step_o))
        if self.reference.waves:
            step, need = self.reference.step, next_need(self.reference.waves, allowed)
            expected = {"slot": step["slot"], "gate_slot": step["gate"], "need": need}
            for name, value in expected.items():
                check.equal(f"{name}_o {now}", value, read(getattr(dut, f"{name}_o")))
        self.issued, begun = self.reference.advance(now, allowed)
        if now >= RESET_CYCLES:
            check.equal(f"clear_o {now}", int(begun is not None), read(dut.clear_o))
        if begun is not None:
            check.equal(f"clear_slot_o {now}", begun["clear"], read(dut.clear_slot_o))
            check.equal(f"load_slot_o {now}", begun["slot"], read(dut.load_slot_o))
            check.equal(f"load_gate_slot_o {now}", begun["gate"], read(dut.load_gate_slot_o))
            self.slots.update(begun["clear"], [])
        if self.issued:
            self.issue_cycles.append(now)
        if reset:
            self.reference, self.issued = Reference(), None

    def write_slots(self) -> None:
        """Elements arrive; every slot is complete in the end."""
        for slot in range(1, SLOTS):
            if random.random() < 0.2:
                amount = min(random.randint(1, 8), 100 - self.slots.count[slot])
                self.slots.update(None, [(slot, amount, random.random() < 0.15)])


async def token(bench: Bench, stall: str) -> None:
    """One program from start to idle, or to a reset."""
    p = bench.p
    count = random.randint(1, min(12, (1 << p["StepW"]) - 1))
    span = min(p["Rows"] << p["CountW"], p["Rows"] * p["Sub"] << p["TileW"], 12 * p["Rows"])
    position, sampled = random.randrange(span), random.random() < 0.7
    tiles = position // (p["Rows"] * p["Sub"])
    ports = {"sampled": int(sampled), "pos_waves": position // p["Rows"], "pos_tiles": tiles}
    bench.program = [draw_step(number, count, p) for number in range(count)]
    bench.issue_cycles, begin = [], bench.cycle
    reset_after = random.randint(1, 60) if random.random() < 0.15 else -1
    await bench.tick(stall, ports)
    bench.reference.start(begin, bench.program, sampled, position)
    steps = [len(waves) for _, waves in bench.reference.steps]
    while bench.reference.running or bench.issued:
        reset_after -= 1
        await bench.tick(stall, reset=reset_after == 0)
        if reset_after == 0:
            return
    if stall == "never" and steps:
        first, last = bench.issue_cycles[0] - begin, bench.issue_cycles[-1] - begin
        cycles = sum(max(waves, FETCH) for waves in steps[:-1]) + steps[-1]
        bench.check.equal(f"first wave after start, token at {begin}", FETCH + 1, first)
        bench.check.equal(f"cycles of {steps}", cycles, last - first + 1)


@cocotb.test()
async def runs_programs(dut: Any) -> None:
    Clock(dut.clk_i, 10, "ns").start(start_high=False)
    bench = Bench(dut)
    bench.drive(sampled=0, pos_waves=0, pos_tiles=0)
    for _ in range(RESET_CYCLES):
        await bench.tick("never", reset=True)
    for number in range(TOKENS):
        await token(bench, ("never", "random", "scoreboard")[number % 3])
        for _ in range(random.choice((0, 0, 1, 5))):
            await bench.tick("random")
    bench.check.finish()
