"""Compares what the hardware wrote with the golden model: every element of every stage, exactly.

The trace is fed as it grows. A record belongs to the token whose start (S) came last, except norm
scalars: they belong, in order, to the writes that cause them, and may follow the next start. A
token is compared when two more have started, or at the end. An audit then counts that every golden
element was compared exactly once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from quant.golden import GoldenModel
from sim.comparison import Comparison, Pending
from sim.layout import EMBED, key
from sim.requests import GoldenRun, Request, Step

FIELDS = {"S": 5, "E": 4, "V": 5, "P": 5, "R": 5, "N": 4, "G": 4, "T": 3}
HELD = 2  # tokens that may still receive records


@dataclass(frozen=True)
class Timing:
    """One processed token: cycles to the next start, None for the last of a request."""

    request: int
    position: int
    sampled: bool
    start: int
    cycles: int | None


class Checker(Comparison):
    """Feed it trace.txt; it collects mismatches, coverage and timing."""

    def __init__(self, model: GoldenModel, manifest: dict, requests: Sequence[Request]) -> None:
        super().__init__(model, manifest)
        self.runs = [GoldenRun(model, request, n) for n, request in enumerate(requests)]
        self.number = -1  # of the present request
        self.steps: Iterator[Step] = iter(())
        self.pending: deque[Pending] = deque()
        self.triggers: deque[tuple[Pending, int]] = deque()  # writes whose norm scalar is to come
        self.rest = ""  # of a line that is still being written
        self.timings: list[Timing] = []
        self.start: tuple[Step, int] | None = None

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
            self._skip_rest("the trace ended")
        for token in self.pending:
            token.cut |= not complete
        while self.pending:
            self.compare(self.pending.popleft())
        if not complete:
            return
        for number in range(self.number + 1, len(self.runs)):
            self._begin(number)
            self._skip_rest("the trace ended")

    def _record(self, fields: list[str]) -> None:
        kind, cycle = fields[0], int(fields[1])
        if kind == "S":
            self._start(cycle, fields[2:])
            return
        owner = self.pending[-1] if self.pending else None
        names = fields[2:-1] if kind not in "RN" else []
        place = None
        if owner is not None and all(text.isdigit() for text in names):
            place = self._place(owner, kind, fields)
        if place is None:
            self._complain("no such record", " ".join(fields), cycle)
            return
        owner, major, minor = place
        owner.keys.append(key(kind, major, minor))
        owner.lines.append(self.line)
        owner.cycles.append(cycle)
        owner.kinds.append(kind)
        numbers = {"R": fields[3:], "N": fields[2:], "T": fields[2:]}
        owner.data.append(numbers.get(kind, fields[-1]))

    def _place(
        self, owner: Pending, kind: str, fields: list[str]
    ) -> tuple[Pending, int, int] | None:
        """Token, major and minor number of a record; None when nothing asked for it."""
        if kind == "V":
            number, tile = int(fields[2]), int(fields[3])
            self._note_step(owner, number, tile)
            return owner, number, tile
        if kind in "EG":
            tile = int(fields[2])
            if kind == "E" and tile == -(-self.layout.d_model // self.layout.cols) - 1:
                self.triggers.append((owner, EMBED))
            return owner, 0, tile
        if kind in "PR":
            step = owner.score_steps.get(fields[2])
            return None if step is None else (owner, step, int(fields[3]) if kind == "P" else 0)
        if kind == "N":
            return (*self.triggers.popleft(), 0) if self.triggers else None
        return owner, 0, 0

    def _note_step(self, owner: Pending, number: int, tile: int) -> None:
        """Remember what later records refer to."""
        if number >= len(self.layout.steps):
            return
        head = self.layout.steps[number]["head"]
        if head is not None:
            owner.score_steps[str(head % self.layout.slots)] = number
        elif self.layout.norm_tile.get(number) == tile:
            self.triggers.append((owner, 1 + number))

    # ---- tokens
    def _begin(self, number: int) -> None:
        self.number = number
        self.steps = self.runs[number].steps()

    def _next_step(self, position: str) -> Step | None:
        """The step that the golden model has next; position 0 begins a request."""
        if position == "0":
            self._skip_rest("a new request began")
            while self.number + 1 < len(self.runs):
                self._begin(self.number + 1)
                step = next(self.steps, None)
                if step is not None:
                    return step
            return None
        return next(self.steps, None)

    def _skip_rest(self, why: str) -> None:
        """The request is over: what the golden model still has is missing, unless reset came."""
        if self.number >= 0 and self.runs[self.number].request.reset is not None:
            for token in self.pending:
                token.cut |= token.step.request == self.number
            self.triggers.clear()
            self.steps = iter(())
        missing = list(self.steps)
        if missing:
            want = f"{len(missing)} more tokens, first {missing[0].token}"
            self.add(missing[0], "start", expected=want, actual=f"none: {why}")

    def _start(self, cycle: int, fields: list[str]) -> None:
        step = self._next_step(fields[0])
        if self.start is not None:
            last, before = self.start
            same = step is not None and step.request == last.request
            cycles = cycle - before if same else None
            self.timings.append(Timing(last.request, last.position, last.sampled, before, cycles))
        self.start = None
        if step is None:
            self._complain("no further token", f"S {cycle} {' '.join(fields)}", cycle)
            return
        self.start = (step, cycle)
        expected = [str(step.position), str(step.token), str(int(step.sampled))]
        for name, want, got in zip(("position", "token", "sampled"), expected, fields, strict=True):
            if want != got:
                self.add(step, f"start ({name})", expected=want, actual=got, cycle=cycle)
        self.started += 1
        self.pending.append(Pending(step, self.line, cycle))
        if len(self.pending) > HELD:
            self.compare(self.pending.popleft())

    def _complain(self, expected: str, text: str, cycle: int | None) -> None:
        """A record that belongs to no token."""
        self.surplus(expected, text, cycle, self.pending[-1].step if self.pending else None)
