"""link: requests on several streams with noise between them, against a core played by the bench.

Every answer must be the one that the played core gave to the prompt that the host sent, whatever
was on the line before; every problem must be told and counted; a reset leaves nothing behind.
"""

import random
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from configs.protocol import FLAG, PROBLEMS, TOKENS_A_FRAME, VERSION, Kind, Problem
from sim.bench import Checker, parameters
from sim.link import Decoder, Message, encode, frame, pack, unpack

PATIENCE = 6000  # cycles in which something must happen
Settings = tuple[int, ...]


def answer(prompt: list[int], settings: Settings) -> list[int]:
    """What the played core says; its length is `max_tokens`."""
    limit, *others = settings
    return [(sum(prompt) * 31 + sum(others) * 7 + i * 13) & 0xFFFF for i in range(limit)]


@dataclass
class Core:
    """One stream of the played core."""

    number: int
    prompt: list[int] = field(default_factory=list)
    beats: deque[tuple[int, int]] = field(default_factory=deque)  # data, user
    offered: bool = False
    seen: list[tuple[list[int], Settings]] = field(default_factory=list)

    def reset(self) -> None:
        self.prompt, self.offered = [], False
        self.beats.clear()


class Bench:
    """The link with a host's line on one side and the played core on the other."""

    def __init__(self, dut: Any, check: Checker) -> None:
        self.dut, self.check, self.p = dut, check, parameters()
        self.cores = [Core(number) for number in range(self.p["Streams"])]
        self.line: deque[int | None] = deque()  # bytes to the board, None is a line error
        self.ear, self.decoder = Decoder(14 + 2 * self.p["Context"]), Decoder()
        self.heard: list[Message] = []
        self.problems, self.frames = Counter[Problem](), 0
        self.tag, self.counters = 0, [random.getrandbits(32) for _ in range(self.p["Counters"])]
        self.slow = 0.0  # share of cycles in which the line to the host takes nothing

    def port(self, name: str, stream: int, width: int) -> int:
        """A packed output's part of one stream."""
        bits = str(getattr(self.dut, name).value)  # other streams' parts may be X
        end = len(bits) - stream * width
        return int(bits[end - width : end], 2)

    async def run(self) -> None:
        """One cycle after the other, for ever."""
        while True:
            self.drive()
            await Timer(1, "ns")
            self.sample()
            await FallingEdge(self.dut.clk_i)

    def drive(self) -> None:
        dut = self.dut
        item = self.line.popleft() if self.line and random.random() < 0.4 else -1
        dut.rx_valid_i.value = int(item is not None and item >= 0)
        dut.rx_data_i.value = item if item is not None and item >= 0 else random.getrandbits(8)
        dut.rx_error_i.value = int(item is None)
        if item is None:
            self.problems[self.ear.line_error()] += 1
        elif item >= 0:
            self.hear(self.ear.feed([item]))
        dut.tx_ready_i.value = int(random.random() >= self.slow)
        dut.counters_i.value = sum(value << 32 * at for at, value in enumerate(self.counters))
        ready = valid = data = user = 0
        for core in self.cores:
            ready |= int(not core.beats and random.random() < 0.5) << core.number
            core.offered = bool(core.beats) and (core.offered or random.random() < 0.2)
            if core.offered:
                valid |= 1 << core.number
                data |= core.beats[0][0] << 16 * core.number
                user |= core.beats[0][1] << core.number
        dut.m_axis_tready_i.value, self.ready = ready, ready
        dut.s_axis_tvalid_i.value, dut.s_axis_tdata_i.value = valid, data
        dut.s_axis_tuser_i.value = user

    def hear(self, results: Any) -> None:
        """What the board's deframer says of these bytes."""
        for result in results:
            if isinstance(result, Problem):
                self.problems[result] += 1
            else:
                self.frames += 1

    def sample(self) -> None:
        dut = self.dut
        if str(dut.core_rst_o.value) == "1":
            for core in self.cores:
                core.reset()
            return
        if str(dut.tx_valid_o.value) == "1" and str(dut.tx_ready_i.value) == "1":
            for result in self.decoder.feed([int(dut.tx_data_o.value)]):
                assert isinstance(result, bytes), f"the board sent a bad frame: {result!r}"
                message = unpack(result)
                assert message is not None, f"the board sent {result.hex()}"
                self.heard.append(message)
        offers, takes = int(dut.m_axis_tvalid_o.value), int(dut.s_axis_tready_o.value)
        for core in self.cores:
            if offers & self.ready & 1 << core.number:
                self.take(core)
            if core.offered and takes & 1 << core.number:
                core.beats.popleft()
                core.offered = False

    def take(self, core: Core) -> None:
        """A beat of a prompt."""
        core.prompt.append(self.port("m_axis_tdata_o", core.number, 16))
        if self.port("m_axis_tlast_o", core.number, 1):
            names = {"max_tokens_o": 16, "temperature_o": 16, "seed_o": 32, "stop_token_o": 16}
            names |= {"stop_enable_o": 1}
            settings = tuple(self.port(name, core.number, w) for name, w in names.items())
            core.seen.append((core.prompt, settings))
            core.beats.extend((token, 0) for token in answer(core.prompt, settings))
            core.beats.append((2, 1))
            core.prompt = []

    # ---- the host
    def send(self, message: Message | bytes) -> None:
        """Put a frame on the line."""
        content = message if isinstance(message, bytes) else pack(message)
        self.line.extend(encode(content))

    def next_tag(self) -> int:
        self.tag = self.tag % 255 + 1
        return self.tag

    async def until(self, what: str, condition: Callable[[], bool]) -> None:
        """Wait, but not for ever."""
        for _ in range(PATIENCE):
            if condition():
                return
            await FallingEdge(self.dut.clk_i)
        raise AssertionError(f"never: {what}; heard last: {self.heard[-3:]}")

    def find(self, kind: Kind, tag: int) -> Message | None:
        return next((m for m in self.heard if (m.kind, m.tag) == (kind, tag)), None)

    def answers(self, tag: int) -> bool:
        """Something came for a command."""
        return any(message.tag == tag for message in self.heard)

    async def ask(self, message: Message, kind: Kind) -> Message:
        """Send a command; its reply."""
        self.send(message)
        await self.until(f"{kind.name}", lambda: self.find(kind, message.tag) is not None)
        reply = self.find(kind, message.tag)
        assert reply is not None
        return reply

    def prompt(self, stream: int, length: int, limit: int) -> Message:
        """A random request."""
        settings = {"max_tokens": limit, "temperature": random.getrandbits(16)}
        settings |= {"seed": random.getrandbits(32), "stop_token": random.getrandbits(16)}
        settings |= {"stop_enable": random.getrandbits(1)}
        words = [random.choice((FLAG, 0x7D7D, random.getrandbits(16))) for _ in range(length)]
        tail = b"".join(word.to_bytes(2, "little") for word in words)
        return Message(Kind.PROMPT, self.next_tag(), stream, settings, tail)

    async def request(self, stream: int, length: int, limit: int) -> None:
        """A prompt and its whole answer, compared."""
        message = self.prompt(stream, length, limit)
        await self.ask(message, Kind.ACCEPTED)
        await self.answered(message)

    async def answered(self, message: Message) -> None:
        """The whole answer to `message`, compared."""
        tag = message.tag
        await self.until(f"DONE {tag}", lambda: self.find(Kind.DONE, tag) is not None)
        done = self.find(Kind.DONE, tag)
        assert done is not None
        names = ("max_tokens", "temperature", "seed", "stop_token", "stop_enable")
        expected = answer(message.tokens(), tuple(message.fields[name] for name in names))
        tokens: list[int] = []
        for part in self.heard:
            if (part.kind, part.tag) != (Kind.TOKENS, tag):
                continue
            self.check.equal(f"index, tag {tag}", len(tokens), part.fields["index"])
            self.check.equal(f"stream, tag {tag}", message.stream, part.stream)
            assert 1 <= len(part.tokens()) <= TOKENS_A_FRAME
            tokens += part.tokens()
        self.check.equal(f"number of tokens, tag {tag}", len(expected), len(tokens))
        for index, (want, got) in enumerate(zip(expected, tokens, strict=False)):
            self.check.equal(f"token {index}, tag {tag}", want, got)
        self.check.equal(f"status, tag {tag}", 2, done.fields["status"])
        self.check.equal(f"tokens told, tag {tag}", len(expected), done.fields["tokens"])
        assert done.fields["cycles"] >= len(expected)

    async def refused(self, message: Message | bytes, problem: Problem, tag: int) -> None:
        """A command that must not be obeyed."""
        before = len(self.heard)
        self.problems[problem] += 1
        self.send(message)

        def told() -> bool:
            errors = [m for m in self.heard[before:] if m.kind == Kind.ERROR]
            return any((m.fields["code"], m.tag) == (problem, tag) for m in errors)

        await self.until(f"ERROR {problem.name} {tag}", told)

    async def counted(self) -> None:
        """STATE says what happened."""
        state = await self.ask(Message(Kind.STATUS, self.next_tag()), Kind.STATE)
        self.check.equal("frames", self.frames, state.fields["frames"])
        for problem in PROBLEMS:
            told = state.fields[problem.name.lower()]
            self.check.equal(f"count of {problem.name}", self.problems[problem], told)
        for index, value in enumerate(self.counters):
            self.check.equal(f"counter {index}", value, state.words(4)[index])
        self.check.equal("number of counters", len(self.counters), len(state.words(4)))


async def disturb(bench: Bench) -> None:
    """Something that is no good frame, and that is over."""
    data: list[int | None] = list(frame(bench.prompt(0, 3, 2)))
    match random.choice(("flip", "cut", "noise", "error", "stop", "long")):
        case "flip":
            at = random.randrange(1, len(data) - 1)
            data[at] = int(data[at] or 0) ^ 1 << random.randrange(8)
        case "cut":
            data = data[: random.randrange(2, len(data) - 1)]
        case "noise":
            data = [random.getrandbits(8) for _ in range(12)]
        case "error":
            data[random.randrange(len(data))] = None
        case "stop":
            bench.line.extend(data[:9])
            await bench.until("line empty", lambda: not bench.line)
            for _ in range(bench.p["Timeout"] + 5):
                await FallingEdge(bench.dut.clk_i)
            if problem := bench.ear.stopped():
                bench.problems[problem] += 1
            return
        case "long":
            data = list(encode(bytes(15 + 2 * bench.p["Context"])))
    bench.line.extend(data)


async def commands(bench: Bench) -> None:
    """Each command, and each reason not to obey one."""
    p, check = bench.p, bench.check
    hello = await bench.ask(Message(Kind.PING, bench.next_tag()), Kind.HELLO)
    wanted = {"version": VERSION, "streams": p["Streams"], "vocab": p["Vocab"]}
    wanted |= {"context": p["Context"], "model": p["Model"], "clock": p["ClockHz"]}
    for name, value in wanted.items():
        check.equal(f"HELLO, {name}", value, hello.fields[name])
    tag = bench.next_tag()
    for kind in (0x00, 0x06, 0x81, 0xFF):
        await bench.refused(bytes([kind, tag, 0]), Problem.UNKNOWN, tag)
    await bench.refused(b"\x01", Problem.FORMAT, 0)
    await bench.refused(bytes([Kind.PING, tag]), Problem.FORMAT, tag)
    await bench.refused(bytes([Kind.PING, tag, 0, 0]), Problem.FORMAT, tag)
    whole = pack(bench.prompt(0, 2, 1))
    for content in (whole[:14], whole[:15], whole + b"\x00"):
        await bench.refused(content, Problem.FORMAT, content[1])
    for stream in (p["Streams"], 255):
        message = bench.prompt(stream, 2, 1)
        await bench.refused(message, Problem.STREAM, message.tag)
    assert not any(core.seen for core in bench.cores), "a refused prompt reached the core"


async def busy(bench: Bench) -> None:
    """A running stream refuses another prompt, accepts its own again, and is not disturbed."""
    first = bench.prompt(0, bench.p["Context"], 40)
    await bench.ask(first, Kind.ACCEPTED)
    other = bench.prompt(0, 4, 3)
    await bench.refused(other, Problem.BUSY, other.tag)
    bench.heard = [m for m in bench.heard if m.kind != Kind.ACCEPTED]
    await bench.ask(first, Kind.ACCEPTED)
    await bench.answered(first)
    assert len(bench.cores[0].seen) == 1, "a repeated prompt was run twice"


async def overrun(bench: Bench) -> None:
    """Commands that come before the last one was answered."""
    bench.slow = 0.98
    tags = [bench.next_tag() for _ in range(3)]
    before = bench.frames
    for tag in tags:
        bench.send(Message(Kind.PING, tag))
    await bench.until("three frames", lambda: bench.frames == before + 3)
    bench.slow = 0.0
    lost = 0
    for tag in tags:
        await bench.until(f"answer {tag}", partial(bench.answers, tag))
        if (error := bench.find(Kind.ERROR, tag)) is not None:
            bench.check.equal("code", Problem.OVERRUN, error.fields["code"])
            bench.problems[Problem.OVERRUN] += 1
            lost += 1
    assert lost, "no overrun"


async def reset(bench: Bench) -> None:
    """RESET in the middle of answers ends them all; the next requests are whole."""
    for wait in (5, 90, 300):
        tags = []
        for core in bench.cores:
            message = bench.prompt(core.number, 4, 60)
            await bench.ask(message, Kind.ACCEPTED)
            tags.append(message.tag)
        for _ in range(wait):
            await FallingEdge(bench.dut.clk_i)
        await bench.ask(Message(Kind.RESET, bench.next_tag()), Kind.RESTARTED)
        after = len(bench.heard)
        for core in bench.cores:
            await bench.request(core.number, 3, 5)
        late = [m for m in bench.heard[after:] if m.tag in tags]
        assert not late, f"after RESET came {late}"


@cocotb.test()
async def serves(dut: Any) -> None:
    Clock(dut.clk_i, 10, "ns").start(start_high=False)
    bench = Bench(dut, Checker("link"))
    dut.rst_i.value = 1
    bench.drive()
    for _ in range(6):
        await FallingEdge(dut.clk_i)
    dut.rst_i.value = 0
    cocotb.start_soon(bench.run())
    await commands(bench)
    await busy(bench)
    await bench.counted()
    for _ in range(5):  # noise, then requests on all streams at once
        bench.slow = random.choice((0.0, 0.5))
        for _ in range(random.randint(0, 3)):
            await disturb(bench)
        waiting = []
        for core in random.sample(bench.cores, len(bench.cores)):
            length = random.randint(1, bench.p["Context"])
            waiting.append(bench.prompt(core.number, length, random.choice((1, 2, 17, 33))))
            await bench.ask(waiting[-1], Kind.ACCEPTED)
        if random.random() < 0.5:
            await disturb(bench)
            bench.line.extend([FLAG])
        for message in waiting:
            await bench.answered(message)
    await bench.counted()
    await overrun(bench)
    await reset(bench)
    await bench.counted()
    await bench.ask(Message(Kind.CLEAR, bench.next_tag()), Kind.CLEARED)
    bench.problems.clear()
    bench.frames = 0
    await bench.counted()
    bench.check.finish()
