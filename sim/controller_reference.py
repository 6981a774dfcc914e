"""The specification of the controller as sequential code: what it shows, cycle by cycle."""

from __future__ import annotations

import itertools
from collections.abc import Generator
from dataclasses import dataclass

from sim.bench import parameters

STOP, LIMIT, FULL, UNKNOWN, TOO_LONG = (1 << bit for bit in range(5))  # status bits

Beat = tuple[int, int, int]  # data, last, user


@dataclass(frozen=True)
class Inputs:
    """What the controller sees in one cycle."""

    valid: bool
    data: int
    last: bool
    ready: bool
    done: bool
    next: int | None
    settings: dict[str, int]  # of the request, by port
    granted: bool = True  # a context takes the token that is to start
    quiet: bool = True  # no context has a token of this stream


@dataclass(frozen=True)
class Token:
    """What the engine is told."""

    token: int
    position: int
    sampled: bool
    temperature: int


@dataclass(frozen=True)
class State:
    """What the controller shows in one cycle, besides the output beat."""

    name: str  # idle, take, start, run, close
    token: Token | None = None
    holding: bool = False  # a sampled token that could not leave yet


@dataclass
class Output:
    """The beat on the output stream."""

    beat: Beat | None = None


def requests(out: Output, *, overlap: bool = False) -> Generator[State, Inputs, None]:
    """The specification: one `yield` a cycle, shows the state and receives the inputs."""
    while True:
        now = yield State("idle")
        if now.valid:
            status = yield from prompt(now.settings, out, overlap)
            now = yield State("close")
            while out.beat is not None or not now.quiet:  # the tokens leave first
                now = yield State("close")
            out.beat = (status, 1, 1)


def prompt(settings: dict[str, int], out: Output, overlap: bool) -> Generator[State, Inputs, int]:
    """Read a prompt and generate; the status."""
    context, vocab = parameters()["Context"], parameters()["Vocab"]
    for position in itertools.count():
        now = yield State("take")
        while not now.valid:
            now = yield State("take")
        too_long, unknown = position >= context, now.data >= vocab
        if too_long or unknown:
            last = now.last
            while not last:
                now = yield State("take")
                last = now.valid and now.last
            return TOO_LONG * too_long | UNKNOWN * unknown
        token = Token(now.data, position, now.last, settings["temperature"])
        while not (yield State("start", token)).granted:
            pass
        if token.sampled:
            return (yield from answer(token, settings, out))
        while not overlap and not (yield State("run", token)).done:
            pass
    raise AssertionError


def answer(token: Token, settings: dict[str, int], out: Output) -> Generator[State, Inputs, int]:
    """Generate from the last prompt token, which has just been started; the status."""
    for left in itertools.count(settings["max_tokens"], -1):
        sample = None
        while sample is None or out.beat is not None:
            now = yield State("run", token, sample is not None)
            sample = now.next if now.next is not None else sample
        out.beat = (sample, 0, 0)
        status = STOP * (settings["stop_enable"] and sample == settings["stop_token"])
        status |= LIMIT * (left == 1) | FULL * (token.position == parameters()["Context"] - 1)
        if status:
            return status
        token = Token(sample, token.position + 1, True, settings["temperature"])
        while not (yield State("start", token)).granted:
            pass
    raise AssertionError
