"""commands: frames of every kind, good and bad, byte by byte; what each gives, by docs/link.md."""

import random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from configs.protocol import HEADER_SIZE, Kind, Problem
from sim.bench import Checker, parameters, read
from sim.link import Message, pack

FRAMES = 250
FIELDS_END = 14  # header and fields of PROMPT
REPLY, PROBLEM, START = "reply", "problem", "start"
Event = tuple[str, int]
Write = tuple[int, int, int]  # stream, address, token


def draw(streams: int, longest: int, tags: list[int]) -> bytes:
    """A frame's content: mostly a command, sometimes nothing like it."""
    kind = random.choice((*range(8), *[int(Kind.PROMPT)] * 8, 0x82, 0xFF))
    stream = random.choice((*range(streams), streams, 255))
    tag = random.choice((random.getrandbits(8), tags[stream % streams]))
    if kind != Kind.PROMPT:
        return bytes([kind, tag, stream]) + bytes(random.choice((0, 0, 0, 1, 11)))
    settings = {"max_tokens": random.getrandbits(16), "seed": random.getrandbits(32)}
    settings |= {"temperature": random.getrandbits(16), "stop_token": random.getrandbits(16)}
    tail = random.randbytes(2 * random.randint(1, longest))
    content = pack(Message(Kind.PROMPT, tag, stream, settings | {"stop_enable": 1}, tail))
    return content[: random.choice((len(content), len(content), len(content) - 1, 14, 2, 1))]


class Bench:
    """Drives frames; keeps what must follow and what did."""

    def __init__(self, dut: Any) -> None:
        p = parameters()
        self.dut, self.check = dut, Checker("commands")
        self.streams, self.longest = p["Streams"], 1 << p["LogPrompt"]
        self.busy, self.tags = [0] * self.streams, [0] * self.streams
        self.expected: list[Event] = []  # of the next cycle
        self.start: tuple[int, bytes] | None = None  # with it: stream and content

    async def tick(self, inputs: dict[str, int], write: Write | None = None) -> None:
        """One cycle, in which `write` must be written."""
        dut, check = self.dut, self.check
        values = {"byte_valid": 0, "byte": random.getrandbits(8), "index": random.getrandbits(16)}
        values |= {"length": random.getrandbits(16), "good": 0, "bad": 0, "code": 0}
        values |= {"reply_busy": random.getrandbits(1)} | inputs
        for name, value in values.items():
            getattr(dut, f"{name}_i").value = value
        dut.busy_i.value = sum(b << s for s, b in enumerate(self.busy))
        dut.tags_i.value = sum(t << 8 * s for s, t in enumerate(self.tags))
        await Timer(1, "ns")
        events = dict(self.expected)
        check.equal("reply_o", int(REPLY in events), read(dut.reply_o))
        if REPLY in events:
            check.equal("reply_kind_o", events[REPLY] | 0x80, read(dut.reply_kind_o))
        check.equal("problem_o", int(PROBLEM in events), read(dut.problem_o))
        if PROBLEM in events:
            code, tag, stream = events[PROBLEM].to_bytes(3, "big")
            check.equal("problem_code_o", code, read(dut.problem_code_o))
            check.equal("problem_tag_o", tag, read(dut.problem_tag_o))
            check.equal("problem_stream_o", stream, read(dut.problem_stream_o))
        check.equal("start_o", events.get(START, 0), read(dut.start_o))
        if self.start is not None:
            stream, content = self.start
            settings = int.from_bytes(content[HEADER_SIZE:FIELDS_END], "little")
            check.equal("count_o", (len(content) - FIELDS_END) // 2, read(dut.count_o))
            check.equal("tag_o", content[1], read(dut.tag_o))
            check.equal("settings_o", settings, read(dut.settings_o))
        we = 0 if write is None else 1 << write[0]
        check.equal("prompt_we_o", we, read(dut.prompt_we_o))
        if write is not None:
            check.equal("prompt_addr_o", write[1], read(dut.prompt_addr_o))
            check.equal("prompt_data_o", write[2], read(dut.prompt_data_o))
        await FallingEdge(dut.clk_i)
        for stream in range(self.streams):
            if self.start is not None and self.start[0] == stream:
                self.busy[stream], self.tags[stream] = 1, self.start[1][1]
            elif random.random() < 0.02:
                self.busy[stream] = 0
        self.expected, self.start = [], None

    def judge(self, content: bytes, free: bool, reply_busy: int) -> None:
        """What a good frame must give."""
        kind, tag, stream = (*content, 0, 0)[:HEADER_SIZE]
        prompt = kind == Kind.PROMPT
        size = len(content) >= 16 and len(content) % 2 == 0 if prompt else len(content) == 3
        problem = None
        if len(content) < HEADER_SIZE:
            problem = Problem.FORMAT
        elif not Kind.PING <= kind <= Kind.RESET:
            problem = Problem.UNKNOWN
        elif not size:
            problem = Problem.FORMAT
        elif reply_busy:
            problem = Problem.OVERRUN
        elif prompt and stream >= self.streams:
            problem = Problem.STREAM
        elif prompt and not free and tag != self.tags[stream]:
            problem = Problem.BUSY
        if problem is not None:
            self.expected = [(PROBLEM, int.from_bytes((problem, tag, stream), "big"))]
            return
        self.expected = [(REPLY, kind)]
        if prompt and free:
            self.expected.append((START, 1 << stream))
            self.start = (stream, content)

    async def frame(self, content: bytes) -> None:
        """All bytes of a frame and its verdict."""
        free, low, pause = False, 0, random.choice((0.0, 0.5))
        for index, byte in enumerate(content):
            while random.random() < pause:
                await self.tick({"length": len(content)})
            stream, write = (*content, 0, 0)[2], None
            if index == FIELDS_END - 1:
                free = stream < self.streams and not self.busy[stream]
            if content[0] == Kind.PROMPT and free and index >= FIELDS_END and index % 2:
                write = (stream, (index - FIELDS_END) // 2, byte << 8 | low)
            inputs = {"byte_valid": 1, "byte": byte, "index": index, "length": len(content)}
            await self.tick(inputs, write)
            low = byte
        while random.random() < pause:
            await self.tick({"length": len(content)})
        reply_busy = int(random.random() < 0.2)
        inputs = {"length": len(content), "reply_busy": reply_busy}
        if random.random() < 0.15:
            code = random.randint(1, 5)
            await self.tick(inputs | {"bad": 1, "code": code})
            self.expected = [(PROBLEM, code << 16)]
        else:
            await self.tick(inputs | {"good": 1})
            self.judge(content, free, reply_busy)


@cocotb.test()
async def obeys(dut: Any) -> None:
    Clock(dut.clk_i, 10, "ns").start(start_high=False)
    bench = Bench(dut)
    for name in ("rst_i", "good_i", "bad_i", "byte_valid_i"):
        getattr(dut, name).value = int(name == "rst_i")
    for _ in range(3):
        await FallingEdge(dut.clk_i)
    dut.rst_i.value = 0
    for _ in range(FRAMES):
        await bench.frame(draw(bench.streams, bench.longest, bench.tags))
        if random.random() < 0.5:
            await bench.tick({})
    await bench.tick({})
    bench.check.finish()
