"""Compares one token's records with its golden trace, and keeps what was found and counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from quant.golden import GoldenModel
from sim import trace
from sim.layout import ANY, FIRST, KINDS, Layout, Plan
from sim.mismatch import Mismatch, describe
from sim.requests import Step

COMPLAINTS = 1000  # mismatches that are kept; all are counted


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


class Comparison:
    """Mismatches and coverage of all tokens that have been compared."""

    def __init__(self, model: GoldenModel, manifest: dict) -> None:
        self.layout, self.formats = Layout(manifest, model.qm), model.qm.formats
        self.line = 0  # of the trace, read so far
        self.streams_of: list[int] = []  # stream of each request, where there are several
        self.mismatches: list[Mismatch] = []
        self.mismatch_count = 0
        self.elements: Counter[str] = Counter()  # compared, by stage
        self.tensors: Counter[str] = Counter()  # stages of tokens that were compared completely
        self.padding = 0  # padding lanes compared
        self.records = 0
        self.tokens = self.started = self.cut = 0  # compared completely, begun, cut off by reset
        self.golden = 0  # elements of the golden traces of all tokens that were not cut

    def compare(self, token: Pending) -> None:
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
            self.surplus(what, text, token.cycles[at], token.step, token.lines[at])
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
            self.add(
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
            self.add(
                token.step,
                record.stage,
                expected=name,
                actual="nothing",
                line=min(later, default=max(token.lines, default=token.line)),
                place=(record.step, record.tile, -1, None),
                elements=max(1, int((plan.index[at] >= FIRST).sum())),
            )

    def _audit(self, token: Pending, plan: Plan, counts: np.ndarray) -> None:
        """Every golden element must have been compared exactly once."""
        self.records += len(token.keys)
        if token.cut:
            self.cut += 1
        else:
            self.golden += sum(values.size for values in token.step.trace.values())
        self.padding += int(counts[:FIRST].sum())
        complete = bool((counts[FIRST:] == 1).all())
        for name, _, offset in plan.stages:
            size = plan.sizes[name]
            if token.cut:
                continue
            part = size if complete else int(counts[offset : offset + size].sum())
            self.elements[name] += part
            self.tensors[name] += part == size
            if not complete and (counts[offset : offset + size] > 1).any():
                self.add(token.step, name, expected="one comparison", actual="several")
        self.tokens += complete and not token.cut

    # ---- complaints
    def surplus(
        self,
        expected: str,
        text: str,
        cycle: int | None,
        step: Step | None,
        line: int | None = None,
    ) -> None:
        """A record that nothing asked for; `step` is the token that it came with, if any."""
        self.add(step, "trace", expected=expected, actual=text, cycle=cycle, line=line)

    def add(
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
        number, position = (step.request, step.position) if step else (0, 0)
        form = str(self.formats.get(stage, "")) if isinstance(expected, int) else ""
        when = self.line if line is None else line
        self.mismatches.append(
            Mismatch(
                number,
                position,
                stage,
                *place,
                expected,
                actual,
                form,
                cycle,
                when,
                elements,
                self.streams_of[number] if self.streams_of else None,
            )
        )

    @property
    def covered(self) -> bool:
        """Whether every golden element of every token was compared."""
        everything = self.tokens + self.cut == self.started
        return everything and sum(self.elements.values()) == self.golden

    def in_time(self) -> list[Mismatch]:
        """The mismatches, the first written first."""
        return sorted(self.mismatches, key=lambda m: (m.line, m.lane))
