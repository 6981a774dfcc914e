"""Compares what the hardware wrote with the golden model: every element of every stage, exactly.

The trace is fed as it grows. A record names its context; it belongs to the token that started there
last, except norm scalars: they belong, in order, to the writes that cause them, and may follow the
next start. A token is compared when two more have started in its context, or at the end. An audit
then counts that every golden element was compared exactly once.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from quant.golden import GoldenModel
from sim.comparison import Comparison, Pending
from sim.layout import EMBED, key
from sim.requests import GoldenRun, Request, Step

FIELDS = {"S": 7, "E": 5, "V": 6, "P": 6, "R": 6, "N": 5, "G": 5, "T": 4, "Z": 3}
HELD = 2  # tokens of a context that may still receive records


@dataclass(frozen=True)
class Timing:
    """One processed token: cycles to the next start of its stream, None for a request's last."""

    request: int
    position: int
    sampled: bool
    start: int
    cycles: int | None


@dataclass
class Stream:
    """The requests of one stream, in order, and how far the trace has come."""

    numbers: list[int] = field(default_factory=list)  # among all requests
    begun: int = 0
    steps: Iterator[Step] = field(default_factory=lambda: iter(()))
    start: tuple[Step, int] | None = None

    @property
    def number(self) -> int:
        """The present request, -1 before the first."""
        return self.numbers[self.begun - 1] if self.begun else -1


class Checker(Comparison):
    """Feed it trace.txt; it collects mismatches, coverage and timing."""

    def __init__(self, model: GoldenModel, manifest: dict, requests: Sequence[Request]) -> None:
        super().__init__(model, manifest)
        self.runs = [GoldenRun(model, request, n) for n, request in enumerate(requests)]
        if manifest["parameters"]["Streams"] > 1:
            self.streams_of = [request.stream for request in requests]
        self.streams: dict[int, Stream] = defaultdict(Stream)
        for number, request in enumerate(requests):
            self.streams[request.stream].numbers.append(number)
        self.pending: dict[str, deque[Pending]] = defaultdict(deque)  # by context
        # writes whose norm scalar is to come
        self.triggers: dict[str, deque[tuple[Pending, int]]] = defaultdict(deque)
        self.rest = ""  # of a line that is still being written
        self.timings: list[Timing] = []
        self.latest: Step | None = None  # that started, in any context
        self.ended: set[int] = set()  # requests that a reset has ended

    # ---- reading
    def feed(self, text: str) -> None:
        """Take the next piece of trace.txt."""
        *whole, self.rest = (self.rest + text).split("\n")
        for line in whole:
            self.line += 1
            fields = line.split()
            if fields and len(fields) == FIELDS.get(fields[0]) and fields[1].isdigit():
                self._record(fields)
            else:
                self._complain("a record", line, None)

    def finish(self, *, complete: bool = True) -> None:
        """Compare what is left; with `complete`, what never came is missing."""
        if self.rest and complete:
            self._complain("whole records only", self.rest, None)
        if complete:
            for stream in self.streams.values():
                self._skip_rest(stream, "the trace ended")
        for tokens in self.pending.values():
            for token in tokens:
                token.cut |= not complete
            while tokens:
                self.compare(tokens.popleft())
        if not complete:
            return
        for stream in self.streams.values():
            while stream.begun < len(stream.numbers):
                self._begin(stream)
                self._skip_rest(stream, "the trace ended")

    def _record(self, fields: list[str]) -> None:
        kind, cycle, context = fields[0], int(fields[1]), fields[2]
        if kind == "S":
            self._start(cycle, context, fields[3:])
            return
        if kind == "Z":
            self._reset()
            return
        pending = self.pending[context]
        owner = pending[-1] if pending else None
        names = fields[3:-1] if kind not in "RN" else []
        place = None
        if owner is not None and all(text.isdigit() for text in names):
            place = self._place(owner, kind, context, fields)
        if place is None:
            self._complain("no such record", " ".join(fields), cycle)
            return
        owner, major, minor = place
        owner.keys.append(key(kind, major, minor))
        owner.lines.append(self.line)
        owner.cycles.append(cycle)
        owner.kinds.append(kind)
        numbers = {"R": fields[4:], "N": fields[3:], "T": fields[3:]}
        owner.data.append(numbers.get(kind, fields[-1]))

    def _place(
        self, owner: Pending, kind: str, context: str, fields: list[str]
    ) -> tuple[Pending, int, int] | None:
        """Token, major and minor number of a record; None when nothing asked for it."""
        triggers = self.triggers[context]
        if kind == "V":
            number, tile = int(fields[3]), int(fields[4])
            self._note_step(owner, number, tile, triggers)
            return owner, number, tile
        if kind in "EG":
            tile = int(fields[3])
            if kind == "E" and tile == -(-self.layout.d_model // self.layout.cols) - 1:
                triggers.append((owner, EMBED))
            return owner, 0, tile
        if kind in "PR":
            step = owner.score_steps.get(fields[3])
            return None if step is None else (owner, step, int(fields[4]) if kind == "P" else 0)
        if kind == "N":
            return (*triggers.popleft(), 0) if triggers else None
        return owner, 0, 0

    def _note_step(
        self, owner: Pending, number: int, tile: int, triggers: deque[tuple[Pending, int]]
    ) -> None:
        """Remember what later records refer to."""
        if number >= len(self.layout.steps):
            return
        head = self.layout.steps[number]["head"]
        if head is not None:
            owner.score_steps[str(head % self.layout.slots)] = number
        elif self.layout.norm_tile.get(number) == tile:
            triggers.append((owner, 1 + number))

    # ---- tokens
    def _begin(self, stream: Stream) -> None:
        stream.begun += 1
        stream.steps = self.runs[stream.number].steps()

    def _next_step(self, stream: Stream, position: str) -> Step | None:
        """The step that the golden model has next; position 0 begins a request."""
        if position == "0":
            self._skip_rest(stream, "a new request began")
            while stream.begun < len(stream.numbers):
                self._begin(stream)
                step = next(stream.steps, None)
                if step is not None:
                    return step
            return None
        return next(stream.steps, None)

    def _skip_rest(self, stream: Stream, why: str) -> None:
        """The request is over: what the golden model still has is missing, unless reset came."""
        if stream.begun and self.runs[stream.number].request.reset is not None:
            self._cut(stream)
        missing = list(stream.steps)
        if missing:
            want = f"{len(missing)} more tokens, first {missing[0].token}"
            self.add(missing[0], "start", expected=want, actual=f"none: {why}")

    def _cut(self, stream: Stream) -> None:
        """The present request of `stream` was ended by a reset: its records may be missing."""
        for context, tokens in self.pending.items():
            for token in tokens:
                token.cut |= token.step.request == stream.number
            waiting = self.triggers[context]
            self.triggers[context] = deque(pair for pair in waiting if not pair[0].cut)
        stream.steps = iter(())

    def _reset(self) -> None:
        """Every stream goes on after its next request that a reset ends."""
        self.triggers.clear()
        for stream in self.streams.values():
            ended = stream.begun and self.runs[stream.number].request.reset is not None
            if ended and stream.number not in self.ended:
                self._cut(stream)
                self.ended.add(stream.number)
                continue
            self._skip_rest(stream, "reset")
            while stream.begun < len(stream.numbers):
                self._begin(stream)
                if self.runs[stream.number].request.reset is not None:
                    self._cut(stream)
                    self.ended.add(stream.number)
                    break
                self._skip_rest(stream, "reset")

    def _start(self, cycle: int, context: str, fields: list[str]) -> None:
        name, *fields = fields
        stream = self.streams.get(int(name)) if name.isdigit() else None
        step = None if stream is None else self._next_step(stream, fields[0])
        if stream is not None and stream.start is not None:
            last, before = stream.start
            same = step is not None and step.request == last.request
            cycles = cycle - before if same else None
            self.timings.append(Timing(last.request, last.position, last.sampled, before, cycles))
            stream.start = None
        if stream is None or step is None:
            self._complain("no further token", f"S {cycle} {' '.join([name, *fields])}", cycle)
            return
        stream.start = (step, cycle)
        expected = [str(step.position), str(step.token), str(int(step.sampled))]
        for what, want, got in zip(("position", "token", "sampled"), expected, fields, strict=True):
            if want != got:
                self.add(step, f"start ({what})", expected=want, actual=got, cycle=cycle)
        self.started += 1
        self.latest = step
        pending = self.pending[context]
        pending.append(Pending(step, self.line, cycle))
        if len(pending) > HELD:
            self.compare(pending.popleft())

    def _complain(self, expected: str, text: str, cycle: int | None) -> None:
        """A record that belongs to no token."""
        self.surplus(expected, text, cycle, self.latest)
