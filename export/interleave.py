"""The exact cycle model of several streams: which step of which token is issued when.

The rules are those in the headers of scheduler.sv, streams.sv, noise_streams.sv and controller.sv.
Time jumps from one cycle in which something changes to the next: a step is picked, loaded or ends,
a vector is complete. `tests/rtl` compares every start and every sampled token with the Verilog.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from export import geometry as geo
from export import latency as lat
from export import stages
from export.counters import FETCH, IDLE, ISSUED, OPERAND
from export.geometry import Geometry
from export.latency import Latency
from export.program import DEST, Step
from quant.qmodel import QuantModel

NONE = -1


class Request(NamedTuple):
    """What a stream is asked for."""

    prompt: int  # tokens read
    answer: int  # tokens written
    warm: bool  # with noise
    first: int = 0  # position at which it begins, as if the ones before were read


class Start(NamedTuple):
    """A token begins in a context."""

    cycle: int
    context: int
    stream: int
    position: int
    sampled: bool


NOTHING = Start(NONE, 0, 0, 0, False)


class Next(NamedTuple):
    """What the scheduler knows of the next step of a context."""

    slot: int = geo.SLOT_NONE
    gate: int = geo.SLOT_NONE
    layer: int = 0
    sample: int = 0


UNKNOWN = Next()


@dataclass
class Stream:
    """A stream: its controller."""

    requests: list[Request]
    state: str = "idle"  # idle, take, start, run, close
    offered: bool = True  # the host offers a prompt
    position: int = 0
    answered: int = 0
    fresh: bool = True  # its generator is seeded, and has drawn nothing
    latest: int = 0  # context of its latest token

    def change(self, state: str, *, forward: int = 0) -> None:
        self.state, self.position = state, self.position + forward


@dataclass
class Context:
    """A token in flight, or none."""

    active: bool = False  # taken
    running: bool = False  # its program is not at its end
    start: Start = NOTHING
    predecessor: int = NONE
    layers: int = 0  # whose cache has been read
    pc: int = 0
    next: Next = UNKNOWN
    complete: set[int] = field(default_factory=lambda: {geo.SLOT_NONE})  # slots


@dataclass
class Result:
    """All starts, all sampled tokens as (cycle, stream), and what the cycles between were, first
    start and last sample included: by cause, and by stage. `idle`: all cycles of requests, from the
    first one to the last closing beat, in which no token runs, as the machine counts them."""

    starts: list[Start] = field(default_factory=list)
    samples: list[tuple[int, int]] = field(default_factory=list)
    causes: Counter[int] = field(default_factory=Counter)
    stages: Counter[str] = field(default_factory=Counter)
    idle: int = 0

    def count(self, cause: int, stage: str, cycles: int) -> None:
        self.causes[cause] += cycles
        self.stages[stage] += cycles

    def latencies(self) -> list[int]:
        """Cycles from start to sample of every sampled token, in the order of samples."""
        begun: dict[int, list[int]] = {}
        for start in self.starts:
            if start.sampled:
                begun.setdefault(start.stream, []).append(start.cycle)
        return [cycle + 1 - begun[stream].pop(0) for cycle, stream in self.samples]

    def cycles_per_token(self) -> float:
        """From the first start to the last sample, filling and draining included."""
        return (self.samples[-1][0] + 1 - self.starts[0].cycle) / len(self.starts)

    def floor(self, g: Geometry) -> float:
        """Mean multiply-accumulates / multipliers of the same tokens, without padding."""
        macs = sum(g.macs(start.position, sampled=start.sampled) for start in self.starts)
        return macs / len(self.starts) / (g.rows * g.cols)


class Machine:
    """A machine with several streams, and one run of it."""

    def __init__(
        self,
        g: Geometry,
        steps: Sequence[Step],
        latency: Latency,
        requests: Sequence[Sequence[Request]],
        pause: int = 1,
    ) -> None:
        """`requests` of each stream, one after the other, the first offered in cycle 0; `pause`:
        cycles from the closing beat of one to the offer of the next."""
        self.g, self.steps, self.latency, self.pause = g, steps, latency, pause
        self.streams = [Stream(list(one)) for one in requests]
        self.contexts = [Context() for _ in range(g.streams)]
        self.result = Result()
        self.effects: dict[int, list[Callable[[], object]]] = {0: []}
        self.times = [0]
        self.requested = {0}  # cycles in which streams and free contexts may have changed
        self.sampled = NONE  # the context whose token is sampled in this cycle
        self.picked, self.fetched, self.address = NONE, 0, 0  # context, from when it is there, step
        self.context_turn, self.stream_turn, self.noise_turn = 0, 0, 0
        self.reading = 0  # contexts whose token ends before the head
        self.end = NONE  # last wave of the step in progress
        self.softmax = 0  # first cycle in which a step of scores may end
        self.wanted: set[int] = set()  # contexts that wait for noise
        self.noise_free = 0
        self.between = 0  # cycles without a token since the last sample
        self.closed = NONE  # cycle of the last closing beat

    def at(self, cycle: int, effect: Callable[[], object] | None = None) -> None:
        """Look at `cycle`, from which on `effect` is seen."""
        if cycle not in self.effects:
            self.effects[cycle] = []
            heapq.heappush(self.times, cycle)
        if effect is not None:
            self.effects[cycle].append(effect)

    def change(self, cycle: int, effect: Callable[[], object]) -> None:
        """The same for an effect on a stream, or on which contexts are free."""
        self.requested.add(cycle)
        self.at(cycle, effect)

    def run(self) -> Result:
        """Until all requests are answered."""
        while self.times:
            now = heapq.heappop(self.times)
            for effect in self.effects.pop(now):
                effect()
            last = self.end
            if now in self.requested:
                self.requested.remove(now)
                self._controllers(now)
                self._begin_token(now)
            self._noise(now)
            self._schedule(now)
            self._waits(now, self.times[0] if self.times else now + 1, last)
            self.sampled = NONE
        return self.result

    def _waits(self, now: int, until: int, last: int) -> None:
        """What the cycles from `now` to before `until` are, in which nothing changes; a step issues
        waves to cycle `last`. Cycles after a sample count when another sample follows."""
        result = self.result
        waits = until - max(now, last + 1)
        if waits <= 0:
            return
        runs = self.picked != NONE or any(context.running for context in self.contexts)
        if not runs and self._busy(now):
            result.idle += waits
        if not result.starts:
            return
        if self.picked != NONE:
            result.count(FETCH, "bubbles", waits)
        elif runs:
            result.count(OPERAND, self._awaited(), waits)
        elif self.sampled == NONE:
            self.between += waits
        else:
            result.count(IDLE, "sampling", self.between + 1)
            self.between = waits - 1

    def _busy(self, now: int) -> bool:
        """Whether a request is in the machine, its closing beat included."""
        streams = any(stream.state != "idle" for stream in self.streams)
        return streams or now == self.closed or any(context.active for context in self.contexts)

    def _awaited(self) -> str:
        """The stage that no context is ready for: the first of these that one waits for."""
        found = {self._missing(context) for context in self.contexts if context.running}
        return next(
            stage for stage in ("sampling", "softmax", "attention", "bubbles") if stage in found
        )

    def _missing(self, context: Context) -> str:
        after = context.next
        if after.slot not in context.complete:
            return stages.waits(after.slot)
        if after.gate == geo.SLOT_NOISE and after.gate not in context.complete:
            return "sampling"
        return "bubbles" if self._ready(context) else "attention"

    # ---- requests and tokens
    def _controllers(self, now: int) -> None:
        """Every state but `start`, whose end is a free context."""
        for number, stream in enumerate(self.streams):
            if stream.state == "idle" and stream.offered and stream.requests:
                self.change(now + 1, partial(self._begin_request, stream))
            elif stream.state == "take":
                self.change(now + 1, partial(stream.change, "start"))
            elif stream.state == "run" and self._sampled_stream() == number:
                stream.answered += 1
                done = stream.answered == stream.requests[0].answer
                state = "close" if done else "start"
                self.change(now + 1, partial(stream.change, state, forward=1))
            elif stream.state == "close":
                mine = (c for c in self.contexts if c.active and c.start.stream == number)
                if next(mine, None) is None:
                    self.change(now + 1, partial(self._close, stream, now + 1))

    def _sampled_stream(self) -> int:
        return NONE if self.sampled == NONE else self.contexts[self.sampled].start.stream

    @staticmethod
    def _begin_request(stream: Stream) -> None:
        stream.state, stream.position = "take", stream.requests[0].first
        stream.answered, stream.fresh = 0, True

    def _close(self, stream: Stream, now: int) -> None:
        stream.state, stream.offered = "idle", False
        self.closed = now
        self.at(now + 1)
        stream.requests.pop(0)
        self.change(now + self.pause, partial(setattr, stream, "offered", True))

    def _begin_token(self, now: int) -> None:
        """Streams in turn, the lowest free context."""
        if self.sampled != NONE:
            self.change(now + 1, partial(setattr, self.contexts[self.sampled], "active", False))
        free = next((n for n, c in enumerate(self.contexts) if not c.active), NONE)
        asking = [n for n, stream in enumerate(self.streams) if stream.state == "start"]
        if free == NONE or not asking:
            return
        number = next((n for n in asking if n > self.stream_turn), asking[0])
        stream = self.streams[number]
        before = self.contexts[stream.latest]
        known = before.active and before.start.stream == number
        asked = stream.requests[0]
        sampled = stream.position >= asked.first + asked.prompt - 1
        start = Start(now, free, number, stream.position, sampled)
        self.result.starts.append(start)
        self.stream_turn = number
        self.change(now + 1, partial(self._occupy, start, stream.latest if known else NONE))

    def _occupy(self, start: Start, predecessor: int) -> None:
        """A token is in its context, and its stream goes on."""
        stream, context = self.streams[start.stream], self.contexts[start.context]
        stream.latest = start.context
        stream.change("run" if start.sampled else "take", forward=not start.sampled)
        for other in self.contexts:
            if other.predecessor == start.context:
                other.predecessor = NONE
        context.active = context.running = True
        context.start, context.predecessor = start, predecessor
        context.layers, context.pc, context.next = 0, 0, UNKNOWN
        self.reading += not start.sampled
        if start.sampled:
            self.wanted.add(start.context)
            context.complete.discard(geo.SLOT_NOISE)

    def _noise(self, now: int) -> None:
        """One draw at a time, the contexts that wait in turn."""
        if not self.wanted or now < self.noise_free:
            return
        later = [number for number in self.wanted if number > self.noise_turn]
        number = self.noise_turn = min(later or self.wanted)
        context = self.contexts[number]
        stream = self.streams[context.start.stream]
        self.wanted.remove(number)
        ready = now + lat.CHOICE + 1
        if stream.requests[0].warm:
            ready += self.g.vocab + lat.DRAW - 1 + (lat.SEED if stream.fresh else 0)
            stream.fresh = False
        self.noise_free = ready
        self.at(ready, partial(context.complete.add, geo.SLOT_NOISE))

    # ---- steps
    def _schedule(self, now: int) -> None:
        """Load, follow, pick."""
        load = self.picked != NONE and now >= self.fetched and now >= self.end
        if self.reading:
            self._end_prompts(now)
        if self.picked != NONE and not load:
            return
        follow = load and bool(self.steps[self.address].sticky)
        loaded, address = self.picked, self.address
        choice = NONE
        if not follow:
            choice = self._choice()
        if load:
            self._load(now, self.contexts[loaded], address)
        if choice != NONE:
            self.at(now + 1, partial(self._pick, choice, self.contexts[choice].pc, now + 2))
        elif follow:
            self.at(now + 1, partial(self._pick, loaded, address + 1, now + 2))
        elif load:
            self.at(now + 1, partial(setattr, self, "picked", NONE))
        if choice != NONE:
            self.context_turn = choice
        if choice != NONE or follow:
            self.at(now + 2)

    def _end_prompts(self, now: int) -> None:
        """Tokens that are not sampled end before the head, when their residual stream is there."""
        for number, context in enumerate(self.contexts):
            ends = context.running and context.next.sample and not context.start.sampled
            if ends and number != self.picked and geo.SLOT_X in context.complete:
                self.change(now + 1, partial(self._finish, context))

    def _choice(self) -> int:
        """The next ready context in turn."""
        ready = [n for n, c in enumerate(self.contexts) if n != self.picked and self._ready(c)]
        return next((n for n in ready if n > self.context_turn), ready[0] if ready else NONE)

    def _ready(self, context: Context) -> bool:
        after = context.next
        if not context.running or (after.sample and not context.start.sampled):
            return False
        if after.slot not in context.complete or after.gate not in context.complete:
            return False
        if not after.layer or context.predecessor == NONE:
            return True
        return self.contexts[context.predecessor].layers != context.layers

    def _finish(self, context: Context) -> None:
        context.active = context.running = False
        self.reading -= 1

    def _pick(self, context: int, address: int, fetched: int) -> None:
        self.picked, self.address, self.fetched = context, address, fetched

    def _load(self, now: int, context: Context, number: int) -> None:
        """All waves of the step, and the event that follows from the last one."""
        step, g, position = self.steps[number], self.g, context.start.position
        waves = (position // g.rows if step.inner_pos else step.inner) + 1
        tiles = (position // g.cols if step.outer_pos else step.outer) + 1
        self.result.count(ISSUED, stages.kind(step), waves * tiles)
        self.end = now + waves * tiles
        if step.dest == DEST["score"]:
            held = max(0, self.softmax - self.end)
            self.result.count(OPERAND, "softmax", held)
            self.end += held
            self.softmax = self.end + tiles
        self.at(self.end)
        self.at(now + 1, partial(self._advance, context, number))
        slot, wait = self._written(step, tiles)
        if slot != geo.SLOT_NONE:
            self.at(self.end + wait + self.g.seen, partial(context.complete.add, slot))
        if step.dest == DEST["logit"]:
            sampled = self.end + self.latency.token
            self.change(sampled, partial(self._sample, context.start, sampled))

    def _advance(self, context: Context, number: int) -> None:
        step = self.steps[number]
        context.pc = number + 1
        context.layers += step.attended
        context.next = Next(step.next_slot, step.next_gate, step.next_layer, step.next_sample)
        if step.last:
            context.running = False
        if step.clear:
            context.complete.discard(step.clear)

    def _sample(self, start: Start, now: int) -> None:
        self.sampled = start.context
        self.result.samples.append((now, start.stream))

    def _written(self, step: Step, tiles: int) -> tuple[int, int]:
        """The slot that a step completes, and how long after its last wave."""
        wait = self.latency
        if step.dest == DEST["operand"]:
            return (step.dst_slot if step.final else geo.SLOT_NONE), wait.write
        if step.dest == DEST["score"]:
            return geo.FIRST_HEAD_SLOT + step.head, wait.prob + tiles - 1
        return {
            DEST["query"]: (geo.SLOT_Q, wait.query),
            DEST["key"]: (geo.SLOT_K, wait.key),
            DEST["value"]: (geo.SLOT_V, wait.value),
            DEST["residual"]: (geo.SLOT_X, wait.residual),
            DEST["none"]: (geo.SLOT_X, wait.residual),  # the embedding
        }.get(step.dest, (geo.SLOT_NONE, 0))


def run(
    qm: QuantModel,
    g: Geometry,
    steps: Sequence[Step],
    requests: Sequence[Sequence[Request]],
    pause: int = 1,
) -> Result:
    """Answer `requests`, a list for each stream."""
    return Machine(g, steps, Latency.of(g, qm.config["activation"]), requests, pause).run()
