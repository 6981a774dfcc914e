"""Compares what the hardware wrote with the golden model: every element of every stage, exactly.

The trace is fed as it grows. A record belongs to the token whose start (S) came last, except norm
scalars: they belong, in order, to the writes that cause them, and may follow the next start. A
token is compared when two more have started, or at the end. An audit then counts that every golden
element was compared exactly once.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from quant.golden import GoldenModel
from sim import trace
from sim.layout import ANY, EMBED, KINDS, Layout, Plan, key
from sim.mismatch import Mismatch, describe
from sim.requests import GoldenRun, Request, Step

FIELDS = {"S": 5, "E": 4, "V": 5, "P": 5, "R": 5, "N": 4, "G": 4, "T": 3}
HELD = 2  # tokens that may still receive records
COMPLAINTS = 1000  # mismatches that are kept; all are counted


@dataclass(frozen=True)
class Timing:
    """One processed token: cycles to the next start, None for the last of a request."""

    request: int
    position: int
    sampled: bool
    start: int
    cycles: int | None


@dataclass
class Pending:
    """A token whose records are still coming."""

    step: Step
    line: int
    cycle: int
    cut: bool = False  # by a reset or an early end: records may be missing
    keys: list[int] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    cycles: list[int] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    data: list[str | list[str]] = field(default_factory=list)
    score_steps: dict[str, int] = field(default_factory=dict)  # slot -> latest score step


class Checker:
    """Feed it trace.txt; it collects mismatches, coverage and timing."""

    def __init__(self, model: GoldenModel, manifest: dict, requests: Sequence[Request]) -> None:
        self.layout, self.formats = Layout(manifest), model.qm.formats
        self.runs = [GoldenRun(model, request, n) for n, request in enumerate(requests)]
        self.number = -1  # of the present request
        self.steps: Iterator[Step] = iter(())
        self.pending: deque[Pending] = deque()
        self.triggers: deque[tuple[Pending, int]] = deque()  # writes whose norm scalar is to come
        self.rest, self.line = "", 0
        self.mismatches: list[Mismatch] = []
        self.mismatch_count = 0
        self.elements: Counter[str] = Counter()  # compared, by stage
        self.tensors: Counter[str] = Counter()  # stages of tokens that were compared completely
        self.padding = 0  # padding lanes compared with 0
        self.records = 0
        self.tokens = self.started = self.cut = 0  # compared completely, begun, cut off by reset
        self.golden = 0  # elements of the golden traces of all tokens that were not cut
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
                self._surplus("a record", line, None)

    def finish(self, *, complete: bool = True) -> None:
        """Compare what is left; with `complete`, what never came is missing."""
        if self.rest and complete:
            self._surplus("whole records only", self.rest, None)
        if complete:
            self._skip_rest("the trace ended")
        for token in self.pending:
            token.cut |= not complete
        while self.pending:
            self._compare(self.pending.popleft())
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
        major = minor = 0
        data: str | list[str] = fields[-1]
        if owner is None or not all(text.isdigit() for text in fields[2:-1] if kind not in "RN"):
            self._surplus("no such record", " ".join(fields), cycle)
            return
        if kind == "V":
            major, minor = int(fields[2]), int(fields[3])
            self._note_step(owner, major, minor)
        elif kind == "E":
            minor = int(fields[2])
            if minor == -(-self.layout.d_model // self.layout.cols) - 1:
                self.triggers.append((owner, EMBED))
        elif kind == "G":
            minor = int(fields[2])
        elif kind == "P":
            major, minor = owner.score_steps.get(fields[2], -1), int(fields[3])
        elif kind == "R":
            major, data = owner.score_steps.get(fields[2], -1), fields[3:]
        elif kind == "N":
            if not self.triggers:
                self._surplus("no norm scalar", " ".join(fields), cycle)
                return
            owner, major = self.triggers.popleft()
            data = fields[2:]
        else:
            data = fields[2:]
        if major < 0:
            self._surplus("no record without scores", " ".join(fields), cycle)
            return
        owner.keys.append(key(kind, major, minor))
        owner.lines.append(self.line)
        owner.cycles.append(cycle)
        owner.kinds.append(kind)
        owner.data.append(data)

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
            self._add(missing[0], "start", expected=want, actual=f"none: {why}")

    def _start(self, cycle: int, fields: list[str]) -> None:
        step = self._next_step(fields[0])
        if self.start is not None:
            last, before = self.start
            same = step is not None and step.request == last.request
            cycles = cycle - before if same else None
            self.timings.append(Timing(last.request, last.position, last.sampled, before, cycles))
        self.start = None
        if step is None:
            self._surplus("no further token", f"S {cycle} {' '.join(fields)}", cycle)
            return
        self.start = (step, cycle)
        expected = [str(step.position), str(step.token), str(int(step.sampled))]
        for name, want, got in zip(("position", "token", "sampled"), expected, fields, strict=True):
            if want != got:
                self._add(step, f"start ({name})", expected=want, actual=got, cycle=cycle)
        self.started += 1
        self.pending.append(Pending(step, self.line, cycle))
        if len(self.pending) > HELD:
            self._compare(self.pending.popleft())

    # ---- comparing
    def _compare(self, token: Pending) -> None:
        """One token: values, missing and surplus records, coverage."""
        plan = self.layout.plan(token.step.position, token.step.sampled)
        flat = plan.flatten(token.step.trace)
        keys = np.array(token.keys, np.int64)
        ids = np.minimum(np.searchsorted(plan.keys, keys), len(plan.keys) - 1)
        known = plan.keys[ids] == keys
        first = np.zeros(len(keys), bool)
        first[np.unique(keys, return_index=True)[1]] = True
        good = known & first
        for at in np.flatnonzero(~good):
            what = "only one such record" if known[at] else "no such record"
            text = f"{token.kinds[at]} {token.data[at]}"
            self._surplus(what, text, token.cycles[at], token.lines[at], token.step)
        actual, unknown = self._values(token)
        index = plan.index[ids]
        care = (index != ANY) & good[:, None]
        wrong = care & (unknown | (actual != flat[index]))
        if wrong.any():
            self._tell(token, plan, flat, ids, actual, unknown, wrong)
        counts = np.bincount(index[care], minlength=plan.size)
        self._missing(token, plan, ids[good])
        self._audit(token, plan, counts)

    def _values(self, token: Pending) -> tuple[np.ndarray, np.ndarray]:
        """Lanes [records, C] of all records, and which are X."""
        layout, shape = self.layout, (len(token.keys), self.layout.cols)
        values, unknown = np.zeros(shape, np.int64), np.zeros(shape, bool)
        kinds = np.array(token.kinds, dtype="U1")
        for group, bits, signed in (
            ("EV", 16, True),
            ("P", layout.prob_bits, False),
            ("G", layout.noise_bits, True),
        ):
            rows = np.flatnonzero(np.isin(kinds, list(group)))
            if len(rows):
                data = [str(token.data[row]) for row in rows]
                values[rows], unknown[rows] = trace.lanes(data, layout.cols, bits, signed=signed)
        for row in np.flatnonzero(np.isin(kinds, list("RNT"))):
            numbers, bad = trace.numbers(token.data[row])
            values[row, : len(numbers)], unknown[row, : len(bad)] = numbers, bad
        return values, unknown

    def _tell(
        self,
        token: Pending,
        plan: Plan,
        flat: np.ndarray,
        ids: np.ndarray,
        actual: np.ndarray,
        unknown: np.ndarray,
        wrong: np.ndarray,
    ) -> None:
        """Turn wrong lanes into mismatches."""
        for row, lane in np.argwhere(wrong):
            record, place = plan.records[ids[row]], int(plan.index[ids[row], lane])
            stage, element = describe(plan, place, record.stage)
            self._add(
                token.step,
                stage,
                expected=int(flat[place]),
                actual="X" if unknown[row, lane] else int(actual[row, lane]),
                cycle=token.cycles[row],
                line=token.lines[row],
                place=(record.step, record.tile, int(lane), element),
            )

    def _missing(self, token: Pending, plan: Plan, found: np.ndarray) -> None:
        """Records that never came; their time is the next of their kind, or the token's end."""
        if token.cut:
            return
        absent = np.ones(len(plan.keys), bool)
        absent[found] = False
        for at in np.flatnonzero(absent):
            record, wanted = plan.records[at], int(plan.keys[at])
            later = [
                line
                for k, line in zip(token.keys, token.lines, strict=True)
                if k > wanted and k >> 40 == wanted >> 40
            ]
            name = f"record {KINDS[wanted >> 40]}"
            self._add(
                token.step,
                record.stage,
                expected=name,
                actual="nothing",
                line=min(later, default=max(token.lines, default=token.line)),
                place=(record.step, record.tile, -1, None),
                elements=max(1, int((plan.index[at] > 0).sum())),
            )

    def _audit(self, token: Pending, plan: Plan, counts: np.ndarray) -> None:
        """Every golden element must have been compared exactly once."""
        self.records += len(token.keys)
        if token.cut:
            self.cut += 1
        else:
            self.golden += sum(values.size for values in token.step.trace.values())
        self.padding += int(counts[0])
        complete = bool((counts[1:] == 1).all())
        for name, _, offset in plan.stages:
            size = plan.sizes[name]
            if token.cut:
                continue
            part = size if complete else int(counts[offset : offset + size].sum())
            self.elements[name] += part
            self.tensors[name] += part == size
            if not complete and (counts[offset : offset + size] > 1).any():
                self._add(token.step, name, expected="one comparison", actual="several")
        self.tokens += complete and not token.cut

    # ---- complaints
    def _surplus(
        self,
        expected: str,
        text: str,
        cycle: int | None,
        line: int | None = None,
        step: Step | None = None,
    ) -> None:
        owner = step or (self.pending[-1].step if self.pending else None)
        self._add(owner, "trace", expected=expected, actual=text, cycle=cycle, line=line)

    def _add(
        self,
        step: Step | None,
        stage: str,
        *,
        expected: int | str,
        actual: int | str,
        cycle: int | None = None,
        line: int | None = None,
        place: tuple[int | None, int | None, int, tuple[int, ...] | None] = (None, None, -1, None),
        elements: int = 1,
    ) -> None:
        self.mismatch_count += elements
        if len(self.mismatches) >= COMPLAINTS:
            return
        number, position = (step.request, step.position) if step else (max(self.number, 0), 0)
        form = str(self.formats.get(stage, "")) if isinstance(expected, int) else ""
        when = self.line if line is None else line
        self.mismatches.append(
            Mismatch(number, position, stage, *place, expected, actual, form, cycle, when, elements)
        )

    @property
    def covered(self) -> bool:
        """Whether every golden element of every token was compared."""
        everything = self.tokens + self.cut == self.started
        return everything and sum(self.elements.values()) == self.golden

    def in_time(self) -> list[Mismatch]:
        """The mismatches, the first written first."""
        return sorted(self.mismatches, key=lambda m: (m.line, m.lane))
