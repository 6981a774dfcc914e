"""A trace.txt that a perfect machine would write, made from the golden model: no simulator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quant.golden import GoldenModel
from sim.layout import EMBED, Layout, Plan, key
from sim.requests import GoldenRun, Request, Step

GARBAGE = 0x1234  # in lanes that may hold anything


@dataclass(frozen=True)
class Line:
    """One record: its text in parts, and what it holds."""

    kind: str
    fields: tuple[int, ...]  # after the context
    values: tuple[int, ...]  # lanes or numbers
    bits: int  # per lane; 0: decimal numbers
    places: tuple[int, ...] = ()  # flat index of each lane
    step: Step | None = None

    def text(self, cycle: int) -> str:
        head = [self.kind, cycle, 0, *self.fields]
        if not self.bits:
            return " ".join(map(str, [*head, *self.values]))
        word = sum(
            (v & ((1 << self.bits) - 1)) << (i * self.bits) for i, v in enumerate(self.values)
        )
        digits = -(-len(self.values) * self.bits // 4)
        return " ".join(map(str, [*head, f"{word:0{digits}x}"]))


def lines(manifest: dict, model: GoldenModel, requests: list[Request]) -> list[Line]:
    """All records of `requests`, in a possible order of writing."""
    layout, result = Layout(manifest, model.qm), []
    for number, request in enumerate(requests):
        for step in GoldenRun(model, request, number).steps():
            result += token_lines(layout, step)
    return result


def token_lines(layout: Layout, step: Step) -> list[Line]:
    plan = layout.plan(step.position, step.sampled)
    flat = plan.flatten(step.trace)

    def record(kind: str, major: int, minor: int, fields: tuple[int, ...], bits: int) -> Line:
        row = plan.index[int(np.searchsorted(plan.keys, key(kind, major, minor)))]
        row = row if bits else row[row >= 0]
        values = tuple(GARBAGE if place < 0 else int(flat[place]) for place in row)
        return Line(kind, fields, values, bits, tuple(int(place) for place in row), step)

    def of(kind: str, major: int) -> int:
        return sum(1 for k in plan.keys if k >> 20 == key(kind, major, 0) >> 20)

    start = (step.position, step.token, int(step.sampled))
    result = [Line("S", (0,), start, 0, (), step)]
    result += [record("E", 0, tile, (tile,), 16) for tile in range(of("E", 0))]
    result.append(record("N", EMBED, 0, (), 0))
    for number, entry in enumerate(layout.steps):
        result += [record("V", number, tile, (number, tile), 16) for tile in range(of("V", number))]
        if entry["head"] is not None:
            slot = entry["head"] % layout.slots
            for tile in range(of("P", number)):
                result.append(record("P", number, tile, (slot, tile), layout.prob_bits))
            result.append(record("R", number, 0, (slot,), 0))
        if entry["norm"]:
            result.append(record("N", 1 + number, 0, (), 0))
    if step.sampled:
        result += [record("G", 0, t, (t,), layout.noise_bits) for t in range(of("G", 0))]
        result.append(record("T", 0, 0, (), 0))
    return result


def text(records: list[Line]) -> str:
    return "".join(f"{record.text(cycle)}\n" for cycle, record in enumerate(records))


def plan_of(layout: Layout, step: Step) -> Plan:
    return layout.plan(step.position, step.sampled)
