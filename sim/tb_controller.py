"""controller: requests with every ending, idle x back-pressure, resets; every output, every cycle.

The reference is sequential code that yields once a cycle; the bench plays the engine.
"""

import itertools
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from sim.bench import RESET_CYCLES, Checker, parameters, read
from sim.controller_reference import (
    FULL,
    LIMIT,
    STOP,
    TOO_LONG,
    UNKNOWN,
    Inputs,
    Output,
    requests,
)

IDLES = (0.0, 0.4)  # share of cycles in which the source offers nothing
STALLS = (0.0, 0.4, 0.9)  # share of cycles in which the sink takes nothing
LIMIT_CYCLES = 5000  # of a request
KINDS = "stop limit full all first middle last long long_unknown single reset".split()
BEAT = ("m_axis_tdata_o", "m_axis_tlast_o", "m_axis_tuser_o")


@dataclass
class Request:
    """What the bench does: prompt, settings, which tokens the engine samples, when to reset."""

    prompt: list[int]
    settings: dict[str, int]
    samples: Iterator[int]
    reset_after: int = -1


def draw_request(kind: str) -> Request:
    """A random request that ends as its kind says."""
    context, vocab = parameters()["Context"], parameters()["Vocab"]
    length = 1 if kind == "single" else random.randint(2, context - (kind != "full"))
    tokens = [random.randrange(vocab) for _ in range(context + 3)]
    stop = random.randrange(vocab)
    unknown = random.choice((vocab, 65535, random.randint(vocab, 65535)))
    settings = {"max_tokens": 0, "stop_token": random.getrandbits(16), "stop_enable": 0}
    settings |= {"temperature": random.getrandbits(16), "seed": random.getrandbits(32)}
    room = context - length + 1  # tokens that can be sampled
    others = [token for token in range(vocab) if token != stop]
    samples = [random.choice(others) for _ in range(room)]
    at = random.randrange(max(1, room - 1))
    if kind in ("stop", "all"):
        at = room - 1 if kind == "all" else at
        samples[at] = stop
        settings |= {"stop_token": stop, "stop_enable": 1}
    if kind in ("limit", "all", "single"):
        settings["max_tokens"] = at + 1
    if kind in ("first", "middle", "last"):
        tokens[{"first": 0, "middle": length // 2, "last": length - 1}[kind]] = unknown
    if kind.startswith("long"):
        length = context + random.randint(1, 3)
        tokens[context] = unknown if kind == "long_unknown" else tokens[context]
    reset_after = random.randint(3, 40) if kind == "reset" else -1
    return Request(tokens[:length], settings, iter(samples), reset_after)


class Engine:
    """Answers a started token after a while."""

    def __init__(self) -> None:
        self.wait, self.sampled = 0, False

    def start(self, sampled: bool) -> None:
        """In the cycle before start_o; the answer comes after start_o."""
        self.wait, self.sampled = random.choice((2, 3, random.randint(2, 12))), sampled

    def done(self) -> bool:
        """done_i: low from the start on, until everything is written."""
        return self.wait == 0

    def tick(self, samples: Iterator[int]) -> int | None:
        """The sampled token in its cycle."""
        if self.wait:
            self.wait -= 1
            if self.wait == 0 and self.sampled:
                return next(samples)
        return None


@dataclass
class Bench:
    """One simulation."""

    dut: Any
    check: Checker
    out: Output = field(default_factory=Output)
    engine: Engine = field(default_factory=Engine)
    endings: Counter[int] = field(default_factory=Counter)
    cycle: int = 0

    def begin(self) -> None:
        """As after a reset."""
        self.out.beat, self.engine = None, Engine()
        self.machine = requests(self.out)
        self.state = next(self.machine)

    async def tick(self, now: Inputs, *, reset: bool = False) -> None:
        """One cycle: drive, compare, advance the reference."""
        dut = self.dut
        values = {"s_axis_tvalid": now.valid, "s_axis_tdata": now.data, "s_axis_tlast": now.last}
        values |= {"m_axis_tready": now.ready, "done": now.done, "next_valid": now.next is not None}
        values |= {"next_token": now.next if now.next is not None else 0, "rst": reset}
        values |= {"start_ready": 1, "quiet": 1}  # one context, which is free
        for name, value in (values | now.settings).items():
            getattr(dut, f"{name}_i").value = int(value)
        await Timer(1, "ns")
        if self.cycle >= RESET_CYCLES:
            self.compare(now)
        if self.out.beat is not None and now.ready:
            data, last, _ = self.out.beat
            self.endings[data] += last
            self.out.beat = None
        self.state = self.machine.send(now)
        if reset:
            self.begin()
        if self.state.name == "start" and self.state.token is not None:
            self.engine.start(self.state.token.sampled)
        self.cycle += 1
        await FallingEdge(dut.clk_i)

    def equal(self, port: str, expected: int) -> None:
        actual = read(getattr(self.dut, port))
        self.check.equal(f"{port}, cycle {self.cycle}", int(expected), actual)

    def compare(self, now: Inputs) -> None:
        """All outputs of this cycle."""
        state, p = self.state, parameters()
        begins = state.name == "idle" and now.valid
        self.equal("s_axis_tready_o", state.name == "take")
        self.equal("start_o", state.name == "start")
        self.equal("busy_o", state.name != "idle" or self.out.beat is not None)
        self.equal("seed_load_o", begins)
        blocked = self.out.beat is not None and not now.ready
        ended = state.name in ("idle", "close") or state.holding or now.next is not None
        self.equal("host_o", (state.name == "take" and not now.valid) or (blocked and ended))
        if begins:
            self.equal("seed_o", now.settings["seed"])
        self.equal("m_axis_tvalid_o", self.out.beat is not None)
        if self.out.beat is not None:
            for port, value in zip(BEAT, self.out.beat, strict=True):
                self.equal(port, value)
        if state.token is not None:
            position = state.token.position
            self.equal("token_o", state.token.token)
            self.equal("sampled_o", state.token.sampled)
            self.equal("temperature_o", state.token.temperature)
            self.equal("pos_o", position)
            for port, size in (("waves", p["Rows"]), ("tiles", p["Cols"])):
                self.equal(f"pos_{port}_o", position // size)
            for port, size in (("row", p["Rows"]), ("col", p["Cols"])):
                self.equal(f"pos_{port}_o", position % size)


def settings_now(request: Request, begins: bool) -> dict[str, int]:
    """The request's settings in the cycle in which they are read, others in all other cycles."""
    if begins:
        return request.settings
    widths = {"max_tokens": 16, "stop_token": 16, "stop_enable": 1, "temperature": 16, "seed": 32}
    return {name: random.getrandbits(width) for name, width in widths.items()}


async def play(bench: Bench, request: Request, idle: float, stall: float) -> None:
    """One request, until its status is offered (or its reset)."""
    beats, offered = list(request.prompt), False
    for cycle in range(LIMIT_CYCLES):
        offered = bool(beats) and (offered or random.random() >= idle)
        data = beats[0] if offered else random.getrandbits(16)
        last = len(beats) == 1 if offered else random.random() < 0.5
        reset = cycle == request.reset_after
        begins = bench.state.name == "idle" and offered
        taken = bench.state.name == "take" and offered
        sample, done = bench.engine.tick(request.samples), bench.engine.done()
        settings = settings_now(request, begins)
        ready = random.random() >= stall
        now = Inputs(offered, data, last, ready, done, sample, settings)
        await bench.tick(now, reset=reset)
        if taken:
            beats, offered = beats[1:], False
        if reset or (not beats and bench.state.name == "idle"):
            return
    raise AssertionError(f"no end of {request} in {LIMIT_CYCLES} cycles")


async def rest(bench: Bench, cycles: int, stall: float) -> None:
    """Offer nothing."""
    for _ in range(cycles):
        settings = settings_now(draw_request("stop"), False)
        ready, done = random.random() >= stall, bench.engine.done()
        await bench.tick(Inputs(False, 0, True, ready, done, None, settings))


@cocotb.test()
async def serves(dut: Any) -> None:
    Clock(dut.clk_i, 10, "ns").start(start_high=False)
    bench = Bench(dut, Checker("controller"))
    bench.begin()
    await FallingEdge(dut.clk_i)
    for _ in range(RESET_CYCLES):
        settings = settings_now(draw_request("stop"), False)
        await bench.tick(Inputs(True, 1, True, True, True, None, settings), reset=True)
    for idle, stall in itertools.product(IDLES, STALLS):
        for kind in random.sample(KINDS, len(KINDS)):
            await play(bench, draw_request(kind), idle, stall)
            await rest(bench, random.choice((0, 0, 0, 1, 9)), stall)
    await rest(bench, 20, 0.0)  # the last status leaves
    wanted = (STOP, LIMIT, FULL, STOP | LIMIT | FULL, UNKNOWN, TOO_LONG, TOO_LONG | UNKNOWN)
    missing = [status for status in wanted if not bench.endings[status]]
    assert not missing, f"no request ended with the status {missing}"
    bench.check.finish()
