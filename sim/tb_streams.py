"""streams: requests of every ending on all streams at once; every output in every cycle; resets.

The reference is one controller of controller_reference.py for each stream, and a list of contexts.
The bench plays the engine: tokens take any time, and unsampled ones end in any order.
"""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from sim.bench import RESET_CYCLES, Checker, pack, parameters, read
from sim.controller_reference import (
    FULL,
    LIMIT,
    STOP,
    TOO_LONG,
    UNKNOWN,
    Inputs,
    Output,
    State,
    Token,
    requests,
)
from sim.tb_controller import KINDS, Request, draw_request, settings_now

LIMIT_CYCLES = 20000
WIDTHS = {"max_tokens": 16, "stop_token": 16, "stop_enable": 1, "temperature": 16, "seed": 32}


@dataclass
class Job:
    """A token in a context."""

    stream: int
    token: Token
    wait: int  # cycles until it ends


@dataclass
class Stream:
    """One stream: its requests, its controller, and how often its host offers and takes."""

    kinds: Iterator[str]
    idle: float
    stall: float
    request: Request = field(default_factory=lambda: draw_request("stop"))
    beats: list[int] = field(default_factory=list)
    offered: bool = False
    latest: Job | None = None
    out: Output = field(default_factory=Output)

    def __post_init__(self) -> None:
        self.machine = requests(self.out, overlap=True)
        self.state: State = next(self.machine)
        self.more = True

    def host(self) -> Inputs:
        """What the host does in this cycle; the next request when one has been read."""
        if not self.beats and self.state.name == "idle" and random.random() < 0.5:
            kind = next(self.kinds, None)
            self.more = kind is not None
            if kind is not None:
                self.request = draw_request(kind)
                self.beats = list(self.request.prompt)
        self.offered = bool(self.beats) and (self.offered or random.random() >= self.idle)
        data = self.beats[0] if self.offered else random.getrandbits(16)
        last = len(self.beats) == 1 if self.offered else random.random() < 0.5
        settings = settings_now(self.request, self.state.name == "idle" and self.offered)
        ready = random.random() >= self.stall
        return Inputs(self.offered, data, last, ready, False, None, settings)


class Bench:
    """One simulation."""

    def __init__(self, dut: Any) -> None:
        self.dut, self.p, self.check = dut, parameters(), Checker("streams")
        self.count, self.cycle = self.p["Streams"], 0
        self.seen: Counter[str] = Counter()
        self.endings: Counter[int] = Counter()
        self.begin([])

    def begin(self, kinds: list[str]) -> None:
        """As after a reset; `kinds` of requests for every stream."""
        self.streams = [
            Stream(iter(random.sample(kinds, len(kinds))), idle, stall)
            for idle, stall in zip(
                random.choices((0.0, 0.0, 0.4), k=self.count),
                random.choices((0.0, 0.4, 0.8), k=self.count),
                strict=True,
            )
        ]
        self.contexts: list[Job | None] = [None] * self.count
        self.turn = 0  # the stream served last

    def engine(self) -> tuple[int, int | None]:
        """Unsampled tokens that end (bits by context), and the context of a sampled one."""
        done, sampled = 0, None
        for context, job in enumerate(self.contexts):
            if job is None:
                continue
            job.wait -= 1
            if job.wait <= 0 and not job.token.sampled:
                done |= 1 << context
            elif job.wait <= 0 and sampled is None:
                sampled = context
        return done, sampled

    def grant(self) -> tuple[int, int] | None:
        """The stream that is served, and the context that it gets."""
        asking = [n for n, stream in enumerate(self.streams) if stream.state.name == "start"]
        free = [context for context, job in enumerate(self.contexts) if job is None]
        self.seen["turn"] += len(asking) > 1
        self.seen["full"] += bool(asking) and not free
        if not asking or not free:
            return None
        return min([n for n in asking if n > self.turn] or asking), free[0]

    async def tick(self, *, reset: bool = False) -> None:
        """One cycle: drive, compare, advance."""
        await FallingEdge(self.dut.clk_i)
        done, sampled = self.engine()
        served = self.grant()
        owner = self.contexts[sampled] if sampled is not None else None
        sample = next(self.streams[owner.stream].request.samples) if owner else None
        inputs = []
        for number, stream in enumerate(self.streams):
            now = stream.host()
            mine = owner is not None and owner.stream == number
            quiet = all(job is None or job.stream != number for job in self.contexts)
            granted = served is not None and served[0] == number
            inputs.append(
                Inputs(
                    now.valid,
                    now.data,
                    now.last,
                    now.ready,
                    False,
                    sample if mine else None,
                    now.settings,
                    granted,
                    quiet,
                )
            )
        self.drive(inputs, done, sampled, sample, reset)
        await Timer(1, "ns")
        if self.cycle >= RESET_CYCLES:
            self.compare(inputs, served)
        self.advance(inputs, done, sampled, served)
        self.cycle += 1
        if reset:
            self.begin([])

    def drive(
        self, inputs: list[Inputs], done: int, sampled: int | None, sample: int | None, reset: bool
    ) -> None:
        """All ports; what is not valid is random."""
        values = {"rst": int(reset), "done": done, "token_valid": int(sampled is not None)}
        values |= {"token_ctx": random.randrange(self.count) if sampled is None else sampled}
        owner = self.contexts[sampled] if sampled is not None else None
        values |= {"token_stream": owner.stream if owner else random.randrange(self.count)}
        values |= {"token": random.randrange(self.p["Vocab"]) if sample is None else sample}
        values |= {"s_axis_tvalid": pack([now.valid for now in inputs], 1)}
        values |= {"s_axis_tdata": pack([now.data for now in inputs], 16)}
        values |= {"s_axis_tlast": pack([now.last for now in inputs], 1)}
        values |= {"m_axis_tready": pack([now.ready for now in inputs], 1)}
        for name, width in WIDTHS.items():
            values[name] = pack([now.settings[name] for now in inputs], width)
        for name, value in values.items():
            getattr(self.dut, f"{name}_i").value = value

    def lane(self, port: str, number: int, width: int, expected: int) -> None:
        """One stream's or context's part of a packed port."""
        text = read(getattr(self.dut, port))
        lanes = len(self.streams)
        bits = text if isinstance(text, str) else f"{text:0{lanes * width}b}"
        end = len(bits) - number * width
        part = bits[end - width : end]
        actual = int(part, 2) if set(part) <= {"0", "1"} else part
        self.check.equal(f"{port} of {number}, cycle {self.cycle}", int(expected), actual)

    def compare(self, inputs: list[Inputs], served: tuple[int, int] | None) -> None:
        """All outputs of this cycle."""
        host = False
        for number, (stream, now) in enumerate(zip(self.streams, inputs, strict=True)):
            state, beat = stream.state, stream.out.beat
            busy = state.name != "idle" or beat is not None or not now.quiet
            self.lane("s_axis_tready_o", number, 1, state.name == "take")
            self.lane("busy_o", number, 1, busy)
            self.lane("seed_load_o", number, 1, state.name == "idle" and now.valid)
            self.lane("m_axis_tvalid_o", number, 1, beat is not None)
            if beat is not None:
                self.lane("m_axis_tdata_o", number, 16, beat[0])
                self.lane("m_axis_tlast_o", number, 1, beat[1])
                self.lane("m_axis_tuser_o", number, 1, beat[2])
            if state.token is not None:
                self.lane("temperature_o", number, 16, state.token.temperature)
            ended = state.name in ("idle", "close") or state.holding or now.next is not None
            blocked = beat is not None and not now.ready
            host |= (state.name == "take" and not now.valid) or (blocked and ended)
        for context, job in enumerate(self.contexts):
            if job is not None:
                self.lane("ctx_stream_o", context, self.p["CtxW"], job.stream)
        self.equal("host_o", host)
        self.equal("start_o", served is not None)
        if served is not None:
            self.compare_start(*served)

    def compare_start(self, number: int, context: int) -> None:
        """What is said about a token that begins."""
        stream, p = self.streams[number], self.p
        token = stream.state.token
        assert token is not None
        there = [c for c, job in enumerate(self.contexts) if job and job is stream.latest]
        values = {"ctx": context, "stream": number, "sampled": token.sampled, "token": token.token}
        values |= {"pos": token.position, "pred_valid": bool(there)}
        values |= {"pos_waves": token.position // p["Rows"], "pos_row": token.position % p["Rows"]}
        values |= {"pos_tiles": token.position // p["Cols"], "pos_col": token.position % p["Cols"]}
        values |= {"pred": there[0]} if there else {}
        self.seen["overlap"] += bool(there)
        for name, value in values.items():
            self.equal(f"start_{name}_o", value)

    def equal(self, port: str, expected: int) -> None:
        actual = read(getattr(self.dut, port))
        self.check.equal(f"{port}, cycle {self.cycle}", int(expected), actual)

    def advance(
        self, inputs: list[Inputs], done: int, sampled: int | None, served: tuple[int, int] | None
    ) -> None:
        """The end of the cycle."""
        for context in range(self.count):
            if done >> context & 1 or context == sampled:
                self.contexts[context] = None
        if served is not None:
            number, context = served
            token = self.streams[number].state.token
            assert token is not None
            job = Job(number, token, random.choice((1, 2, random.randint(1, 30))))
            self.contexts[context] = self.streams[number].latest = job
            self.turn = number
        for stream, now in zip(self.streams, inputs, strict=True):
            if stream.out.beat is not None and now.ready:
                data, last, _ = stream.out.beat
                self.endings[data] += last
                stream.out.beat = None
            if stream.state.name == "take" and now.valid:
                stream.beats, stream.offered = stream.beats[1:], False
            stream.state = stream.machine.send(now)

    def working(self) -> bool:
        """Whether a request is open or to come."""
        return any(
            stream.more or stream.state.name != "idle" or stream.out.beat for stream in self.streams
        )


@cocotb.test()
async def serves(dut: Any) -> None:
    Clock(dut.clk_i, 10, "ns").start(start_high=False)
    bench, kinds = Bench(dut), [kind for kind in KINDS if kind != "reset"]
    for cut in (random.randint(20, 300), random.randint(20, 300), LIMIT_CYCLES):
        for _ in range(RESET_CYCLES):
            await bench.tick(reset=True)
        bench.begin(kinds)
        for _ in range(cut):
            if not bench.working():
                break
            await bench.tick()
    assert not bench.working(), f"no end in {LIMIT_CYCLES} cycles"
    wanted = (STOP, LIMIT, FULL, STOP | LIMIT | FULL, UNKNOWN, TOO_LONG, TOO_LONG | UNKNOWN)
    missing = [status for status in wanted if not bench.endings[status]]
    missing_events = [name for name in ("turn", "full", "overlap") if not bench.seen[name]]
    assert not missing, f"no request ended with the status {missing}"
    assert not missing_events, f"never happened: {missing_events}"
    bench.check.finish()
