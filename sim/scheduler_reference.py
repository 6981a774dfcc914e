"""The specification of the scheduler, cycle by cycle: what is picked, loaded, issued when.

Tokens are objects; a context holds one of them until another is started there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sim.tb_sequencer import Step, Wave, unroll

FETCH = 2  # cycles from a pick to the earliest load: the address, the program word


@dataclass
class Token:
    """One token in flight; `before` is the token of its stream that was there when it started."""

    context: int
    position: int
    sampled: bool
    before: Token | None = None
    pc: int = 0  # of the step that is loaded next
    attended: int = 0  # layers whose cache it has read
    running: bool = True
    there: bool = True  # its context has not been given to another


@dataclass
class Shown:
    """What the scheduler does in one cycle."""

    wave: Wave | None = None  # issued
    loaded: int | None = None  # step whose waves are in progress
    load: Token | None = None  # a step of this token begins ...
    step: int = -1  # ... this one
    picked: int | None = None  # step that is read from the program
    waiting: bool = False
    done: list[Token] = field(default_factory=list)
    events: list[str] = field(default_factory=list)  # what happened, for the coverage


@dataclass
class Picked:
    """A step on its way from the program."""

    token: Token
    since: int


class Reference:
    """The rule in the header of scheduler.sv."""

    def __init__(self, program: Sequence[Step], p: dict[str, int]) -> None:
        self.program, self.p = program, p
        self.clear()

    def clear(self) -> None:
        """As after a reset."""
        self.tokens: list[Token | None] = [None] * self.p["Contexts"]
        self.turn = 0  # the context picked last
        self.picked: Picked | None = None
        self.waves: deque[Wave] = deque()
        self.scores = False  # the step in progress writes scores
        self.softmax_free = 0  # cycle from which scores may be ended

    def start(self, token: Token) -> None:
        """At the end of a cycle: a token begins in its context."""
        old = self.tokens[token.context]
        if old is not None:
            old.there = False
        self.tokens[token.context] = token

    def advance(
        self, now: int, complete: Callable[[int, int], bool], offset: Callable[[int], int]
    ) -> Shown:
        """One cycle; complete(context, slot); offset(context): first word of its cache."""
        shown = Shown(waiting=self.picked is None and any(t and t.running for t in self.tokens))
        shown.picked = self.picked.token.pc if self.picked else None
        ready = [c for c, t in enumerate(self.tokens) if t and self.ready(t, complete, shown)]
        shown.done = [t for t in self.tokens if t and self.ends(t) and complete(t.context, 2)]
        self.issue(now, shown)
        if self.picked and now >= self.picked.since + FETCH and not self.waves:
            self.load(now, self.picked.token, offset, shown)
        if self.picked is None and ready:
            self.turn = min([c for c in ready if c > self.turn] or ready)
            token = self.tokens[self.turn]
            assert token is not None
            self.picked = Picked(token, now)
            shown.events += ["turn"] if len(ready) > 1 else []
        for token in shown.done:
            token.running = False
        return shown

    def ready(self, token: Token, complete: Callable[[int, int], bool], shown: Shown) -> bool:
        """Whether the next step of a token may be picked."""
        if not token.running or self.is_picked(token) or self.ends(token):
            return False
        step = self.program[token.pc] if token.pc else {"slot": 0, "gate": 0, "layer": 0}
        before = token.before if token.before and token.before.there else None
        if step["layer"] and before and before.attended <= token.attended:
            shown.events.append("layer")
            return False
        return complete(token.context, step["slot"]) and complete(token.context, step["gate"])

    def ends(self, token: Token) -> bool:
        """Whether a token stops before steps that only sampled tokens have."""
        step = self.program[token.pc] if token.running else {"sample_only": 0}
        free = token.running and not self.is_picked(token)
        return free and bool(step["sample_only"]) and not token.sampled

    def is_picked(self, token: Token) -> bool:
        return self.picked is not None and self.picked.token is token

    def issue(self, now: int, shown: Shown) -> None:
        """A wave, unless the softmax of the scores before is still busy."""
        if not self.waves:
            return
        wave = self.waves[0]
        shown.loaded = wave["step"]
        if self.scores and wave["final"]:
            if now < self.softmax_free:
                shown.events.append("softmax")
                return
            self.softmax_free = now + wave["tile"] + 1
        shown.wave = self.waves.popleft()

    def load(self, now: int, token: Token, offset: Callable[[int], int], shown: Shown) -> None:
        """The picked step begins; a sticky one is followed at once."""
        step = dict(self.program[token.pc])
        shown.load, shown.step = token, token.pc
        if step["kv"]:
            step["addr"] += offset(token.context)
        self.scores = bool(step["score"])
        self.waves.extend(unroll(token.pc, step, token.position, self.p))
        token.pc += 1
        token.attended += step["attended"]
        token.running = not step["last"]
        self.picked = Picked(token, now) if step["sticky"] else None
        shown.events += ["sticky"] if step["sticky"] else []
