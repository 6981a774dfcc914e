"""reporter: answers, replies and problems at once, at any speed of the line; each is told once."""

import random
from collections import Counter, deque
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from configs.protocol import PROBLEMS, VERSION, Kind, Problem
from sim.bench import Checker, pack, parameters, read
from sim.link import Message, unpack

CYCLES = 4000
REPLIES = (Kind.HELLO, Kind.ACCEPTED, Kind.STATE, Kind.CLEARED, Kind.RESTARTED)


class Port:
    """One stream as stream_port shows it: a queue of tokens, then the end."""

    def __init__(self, depth: int) -> None:
        self.depth, self.busy, self.tag, self.told = depth, 0, 0, 0
        self.waiting: deque[int] = deque()
        self.left, self.closed, self.status, self.cycles = 0, 0, 0, 0

    def live(self) -> None:
        """Something may happen in the core."""
        if not self.busy and random.random() < 0.02:
            self.busy, self.tag, self.told = 1, random.getrandbits(8), 0
            self.left = random.choice((0, 1, 3, 20))
        elif self.left and len(self.waiting) < self.depth and random.random() < 0.3:
            self.waiting.append(random.getrandbits(16))
            self.left -= 1
        elif self.busy and not self.left and not self.closed and random.random() < 0.3:
            self.closed, self.status = 1, random.getrandbits(5)
            self.cycles = random.getrandbits(32)


class Bench:
    """Reporter with ports on one side and a played framer on the other."""

    def __init__(self, dut: Any) -> None:
        self.dut, self.p, self.check = dut, parameters(), Checker("reporter")
        self.ports = [Port(1 << self.p["LogAnswer"]) for _ in range(self.p["Streams"])]
        self.counters = [random.getrandbits(32) for _ in range(self.p["Counters"])]
        self.problems: deque[tuple[int, int, int]] = deque()  # told in this order
        self.reply: tuple[Kind, int, int] | None = None  # asked for and not yet heard
        self.ended: dict[str, int] = {}  # what the next DONE must say
        self.counts, self.frames = Counter[int](), 0
        self.content, self.told = bytearray(), Counter[Kind]()
        self.state: dict[str, int] = {}  # what a STATE must say that begins now

    def drive(self) -> dict[str, int]:
        """The inputs of a cycle."""
        fill_w = self.p["LogAnswer"] + 1
        room = len(self.problems) < 4
        code = random.choice(list(Problem)) if room and random.random() < 0.03 else 0
        new = self.reply is None and random.random() < 0.05
        closed = [int(p.closed and not p.waiting) for p in self.ports]
        values = {
            "good_i": int(random.random() < 0.1),
            "reply_i": int(new),
            "reply_kind_i": random.choice(REPLIES),
            "reply_tag_i": random.getrandbits(8),
            "reply_stream_i": random.getrandbits(8),
            "problem_i": int(code > 0),
            "problem_code_i": code,
            "problem_tag_i": random.getrandbits(8),
            "problem_stream_i": random.getrandbits(8),
            "busy_i": pack([p.busy for p in self.ports], 1),
            "tags_i": pack([p.tag for p in self.ports], 8),
            "fill_i": pack([len(p.waiting) for p in self.ports], fill_w),
            "token_i": pack([p.waiting[0] if p.waiting else 0 for p in self.ports], 16),
            "index_i": pack([p.told for p in self.ports], 16),
            "closed_i": pack(closed, 1),
            "status_i": pack([p.status for p in self.ports], 8),
            "cycles_i": pack([p.cycles for p in self.ports], 32),
            "counters_i": pack(self.counters, 32),
        }
        for name, value in values.items():
            getattr(self.dut, name).value = value
        return values

    async def cycle(self, speed: float) -> None:
        """One cycle of everything."""
        dut, check = self.dut, self.check
        values = self.drive()
        valid = str(dut.valid_o.value) == "1"
        length = read(dut.length_o) if valid else 0
        ends = valid and len(self.content) == length
        asks = valid and not ends and random.random() < speed
        dut.next_i.value, dut.sent_i.value = int(asks), int(ends)
        await Timer(1, "ns")
        if not valid:  # what a message that begins now says
            self.state = {"frames": self.frames, "running": values["busy_i"]}
            self.state |= {problem.name.lower(): self.counts[problem] for problem in PROBLEMS}
        done, take = int(dut.done_o.value), int(dut.take_o.value)
        clear = str(dut.clear_o.value) == "1"
        if asks:
            self.content.append(int(dut.data_o.value))
        if ends:
            self.hear(bytes(self.content))
            self.content.clear()
        for number, port in enumerate(self.ports):
            if take >> number & 1:
                assert port.waiting, f"stream {number}: a token was taken that is not there"
                got = int.from_bytes(self.content[-2:], "little")
                check.equal(f"token of stream {number}", port.waiting.popleft(), got)
                port.told += 1
        if self.reply is None or not valid:
            busy = int(self.reply is not None or bool(values["reply_i"]))
            check.equal("reply_busy_o", busy, read(dut.reply_busy_o))
        if values["reply_i"]:
            kind = Kind(values["reply_kind_i"])
            self.reply = (kind, values["reply_tag_i"], values["reply_stream_i"])
        self.events(values, clear)
        for number, port in enumerate(self.ports):
            if done >> number & 1:
                check.equal("done_o", 1, values["closed_i"] >> number & 1)
                self.ended = {"stream": number, "tag": port.tag, "status": port.status}
                self.ended |= {"tokens": port.told, "cycles": port.cycles}
                port.busy = port.closed = 0
        await FallingEdge(dut.clk_i)
        for port in self.ports:
            port.live()

    def events(self, values: dict[str, int], clear: bool) -> None:
        """Counters, and problems that must be told."""
        if values["problem_i"]:
            names = ("problem_code_i", "problem_tag_i", "problem_stream_i")
            code, tag, stream = (values[name] for name in names)
            self.problems.append((code, tag, stream))
            self.counts[code] += 1
        self.frames += values["good_i"]
        if clear:
            self.counts.clear()
            self.frames = 0

    def hear(self, content: bytes) -> None:
        """A whole message."""
        check, message = self.check, unpack(content)
        assert message is not None, f"no message: {content.hex()}"
        self.told[message.kind] += 1
        if message.kind == Kind.ERROR:
            code, tag, stream = self.problems.popleft()
            check.equal("ERROR", code, message.fields["code"])
            check.equal("tag of ERROR", tag, message.tag)
            check.equal("stream of ERROR", stream, message.stream)
        elif message.kind == Kind.TOKENS:
            port = self.ports[message.stream]
            check.equal("tag of TOKENS", port.tag, message.tag)
            check.equal("index", port.told - len(message.tokens()), message.fields["index"])
            assert message.tokens()
        elif message.kind == Kind.DONE:
            told = {"stream": message.stream, "tag": message.tag, **message.fields}
            for name, want in self.ended.items():
                check.equal(f"DONE, {name}", want, told[name])
        else:
            self.replied(message)

    def replied(self, message: Message) -> None:
        """The reply that was asked for."""
        check = self.check
        assert self.reply is not None, f"a reply that nobody asked for: {message}"
        for name, want, got in zip(
            ("kind", "tag", "stream"),
            self.reply,
            (message.kind, message.tag, message.stream),
            strict=True,
        ):
            check.equal(f"{name} of a reply", want, got)
        self.reply = None
        p, wanted = self.p, dict[str, int]()
        if message.kind == Kind.HELLO:
            wanted = {"version": VERSION, "streams": p["Streams"], "vocab": p["Vocab"]}
            wanted |= {"context": p["Context"], "model": p["Model"], "clock": p["ClockHz"]}
        if message.kind == Kind.STATE:
            wanted = self.state
            check.equal("number of counters", p["Counters"], len(message.words(4)))
            for want, got in zip(self.counters, message.words(4), strict=True):
                check.equal("counter", want, got)
        for name, value in wanted.items():
            check.equal(f"{message.kind.name}, {name}", value, message.fields[name])


@cocotb.test()
async def tells(dut: Any) -> None:
    Clock(dut.clk_i, 10, "ns").start(start_high=False)
    bench = Bench(dut)
    bench.drive()
    dut.rst_i.value, dut.next_i.value, dut.sent_i.value = 1, 0, 0
    for name in ("good_i", "reply_i", "problem_i"):
        getattr(dut, name).value = 0
    for _ in range(3):
        await FallingEdge(dut.clk_i)
    dut.rst_i.value = 0
    for number in range(CYCLES):
        await bench.cycle((1.0, 0.4, 0.9)[number * 3 // CYCLES])
    kinds = {*REPLIES, Kind.TOKENS, Kind.DONE, Kind.ERROR}
    assert kinds == set(bench.told), f"never told: {kinds - set(bench.told)}"
    bench.check.finish()
