"""The exact cycle model: when every step of a token is loaded, issued and written.

It knows the program, the latencies and the rules of the sequencer and the scoreboard, and computes
by tiles instead of by cycles: a tile whose operand is there is issued one wave a cycle, so only the
first tile of a step ever waits. `tests/rtl` compares it with the Verilog, token by token.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from export import geometry as geo
from export import latency as lat
from export.counters import CAUSES, FETCH, GATE, IDLE, ISSUED, NAMES, NOISE, OPERAND
from export.geometry import Geometry
from export.latency import Latency
from export.program import DEST, Step
from quant.qmodel import QuantModel


class Tiles(NamedTuple):
    """Events of one step on a scoreboard slot: `number` tiles of `amount` elements."""

    first: int  # cycle of the first event
    gap: int  # cycles between two
    number: int
    amount: int
    final: bool  # the last one completes the slot


class Issued(NamedTuple):
    """One step of one token."""

    step: int
    load: int  # cycle
    first: int  # cycle in which the first tile is through
    end: int  # cycle of the last wave
    waves: int  # of a tile
    tiles: int
    operand: int  # cycles in which the next wave waited for its operand
    gate: int  # cycles in which it waited for its gate


@dataclass(frozen=True)
class Token:
    """One token: its steps, and how its cycles were spent, from its start to the next one's."""

    position: int
    sampled: bool
    cycles: int
    steps: list[Issued]
    spent: Counter[tuple[int, int]]  # (cause, step) -> cycles; idle cycles have step -1

    def counters(self) -> list[int]:
        """What the counters of the machine, `counters.NAMES`, count for this token."""
        causes = [0] * len(CAUSES)
        for (cause, _), cycles in self.spent.items():
            causes[cause] += cycles
        return [self.cycles, *causes]


@dataclass
class Machine:
    """What runs: the program of one token on one array."""

    geometry: Geometry
    steps: list[Step]
    latency: Latency
    slots: dict[int, list[Tiles]] = field(default_factory=dict)

    @classmethod
    def of(cls, qm: QuantModel, g: Geometry, steps: list[Step]) -> Machine:
        return cls(g, steps, Latency.of(g, qm.config["activation"]))

    def alike(self, one: int, other: int) -> bool:
        """Whether tokens at these positions have the same waves and tiles, and so cycles."""
        g = self.geometry
        return one // g.rows == other // g.rows and one // g.cols == other // g.cols

    def operand_ready(self, slot: int, waves: int, start: int) -> tuple[int, int]:
        """(cycle of the first wave, cycle of the last) of a tile of `waves` that may begin in
        `start`, as far as the operand in `slot` decides it."""
        rows = self.geometry.rows
        if slot == geo.SLOT_NONE:
            return start, start + waves - 1
        first, issued, passed, elements = -1, start - 1, 0, 0
        for tiles in self.slots[slot]:
            for tile in range(tiles.number):
                elements += tiles.amount
                completes = tiles.final and tile == tiles.number - 1
                allowed = waves if completes else min(waves, elements // rows)
                if allowed == passed:
                    continue
                seen = tiles.first + tile * tiles.gap + self.geometry.seen
                if passed == 0:
                    first = max(start, seen)
                issued = max(issued + 1, seen) + allowed - passed - 1
                passed = allowed
                if passed == waves:
                    return first, issued
        raise ValueError(f"slot {slot} never holds the {waves * rows} elements of a tile")

    def complete(self, slot: int) -> int:
        """The cycle of the event that completes `slot`."""
        tiles = self.slots[slot][-1]
        return tiles.first + (tiles.number - 1) * tiles.gap

    def issue(self, number: int, load: int, position: int, noise: int) -> Issued:
        """Issue step `number`, loaded in cycle `load`; `noise`: the last cycle without noise."""
        step, g = self.steps[number], self.geometry
        waves = (position // g.rows if step.inner_pos else step.inner) + 1
        tiles = (position // g.cols if step.outer_pos else step.outer) + 1
        if step.clear:
            self.slots[step.clear] = []
        start = load + 1
        ready, _ = self.operand_ready(step.slot, 1, start)
        opened = ready
        if step.gate == geo.SLOT_NOISE:
            opened = max(ready, noise + self.geometry.seen)
        elif step.gate:
            opened = max(ready, self.complete(step.gate) + self.geometry.seen)
        _, first = self.operand_ready(step.slot, waves, opened)
        end = first + (tiles - 1) * waves
        gate = opened - ready
        self._write(step, first, waves, tiles)
        return Issued(
            number, load, first, end, waves, tiles, first - start - waves + 1 - gate, gate
        )

    def _write(self, step: Step, first: int, waves: int, tiles: int) -> None:
        """The events that follow from a step whose first tile is through in cycle `first`."""
        last, wait = first + (tiles - 1) * waves, self.latency
        if step.dest == DEST["operand"]:
            self._add(step, first + wait.write, waves, tiles)
        elif step.dest == DEST["query"]:
            self._add(step, first + wait.query, waves, tiles)
        elif step.dest == DEST["residual"]:
            events = Tiles(first + wait.residual, waves, tiles, self.geometry.cols, True)
            self.slots[geo.SLOT_X].append(events)
        elif step.dest == DEST["key"]:
            self.slots[geo.SLOT_K] = [Tiles(last + wait.key, 0, 1, 0, True)]
        elif step.dest == DEST["value"]:
            self.slots[geo.SLOT_V] = [Tiles(last + wait.value, 0, 1, 0, True)]
        elif step.dest == DEST["score"]:
            head = geo.FIRST_HEAD_SLOT + step.head
            self.slots[head] = [Tiles(last + wait.prob, 1, tiles, self.geometry.cols, True)]

    def _add(self, step: Step, first: int, gap: int, count: int) -> None:
        events = Tiles(first, gap, count, step.amount, bool(step.final))
        self.slots[step.dst_slot].append(events)

    def token(self, position: int, *, sampled: bool, first: bool, warm: bool) -> Token:
        """The token at `position`, started in cycle 0 in an idle machine with a host that never
        makes it wait. `first`: it begins a request; `warm`: noise is drawn, temperature > 0."""
        g, wait = self.geometry, self.latency
        self.slots = {
            geo.SLOT_X: [Tiles(wait.embed, wait.embed_gap, g.tiles(g.d_model), g.cols, True)]
        }
        noise = 0
        if sampled:
            begin = lat.SEED - lat.SEED_BEFORE if first else 0
            noise = begin + (g.vocab + lat.DRAW if warm else 1)
        issued: list[Issued] = []
        spent: Counter[tuple[int, int]] = Counter()
        load, end = lat.FIRST_LOAD, 0
        for number, step in enumerate(self.steps):
            spent[FETCH, number] += load - end
            if step.sample_only and not sampled:
                end = load
                break
            one = self.issue(number, load, position, noise)
            issued.append(one)
            spent[ISSUED, number] += one.waves * one.tiles
            spent[OPERAND, number] += one.operand
            spent[NOISE if step.gate == geo.SLOT_NOISE else GATE, number] += one.gate
            end = one.end
            load = max(end, one.load + lat.RELOAD)
        if sampled:
            cycles = end + wait.token + lat.SAMPLED
        else:
            cycles = max(end, self.complete(geo.SLOT_X)) + 1 + lat.TAKE
        spent[IDLE, -1] = cycles - end
        return Token(position, sampled, cycles, issued, +spent)


def predictions(machine: Machine) -> dict[str, list]:
    """The counters of every token that a request may have, for the manifest: by position, of prompt
    tokens and of sampled ones without and with noise, and of the first one where that is sampled;
    `request`: what a request takes besides its tokens."""

    def tokens(sampled: bool, warm: bool) -> list[list[int]]:
        return [
            machine.token(position, sampled=sampled, first=False, warm=warm).counters()
            for position in range(machine.geometry.context)
        ]

    first = [
        machine.token(0, sampled=True, first=True, warm=warm).counters() for warm in (False, True)
    ]
    request = [0] * len(NAMES)
    request[0] = request[1 + IDLE] = lat.REQUEST
    return {
        "prompt": tokens(False, False),
        "greedy": tokens(True, False),
        "warm": tokens(True, True),
        "first": first,
        "request": request,
    }
