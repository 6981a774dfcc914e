"""A request to the machine, how the bench behaves during it, and what the golden model answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

import numpy as np

from quant.golden import GoldenModel

# Bits of the closing beat, see hdl/top/controller.sv.
STATUS = {
    1: "stop token",
    2: "limit reached",
    4: "context full",
    8: "token outside the vocabulary",
    16: "prompt longer than the context",
}
STOP, LIMIT, FULL, UNKNOWN, TOO_LONG = STATUS


def status_text(status: int | None) -> str:
    """Names of the bits in a closing beat."""
    if status is None:
        return "none"
    return ", ".join(text for bit, text in STATUS.items() if status & bit) or "0"


@dataclass(frozen=True)
class Reset:
    """Reset `cycles` after `inputs` prompt beats were taken and `outputs` beats were given."""

    inputs: int
    outputs: int = 0
    cycles: int = 0


@dataclass(frozen=True)
class Request:
    """One prompt, its settings, and the manners of the two streams."""

    prompt: tuple[int, ...]
    max_tokens: int = 0  # 0: until the context is full
    temperature: int = 0  # register value; 0 is greedy
    seed: int = 0
    stop: int | None = None
    idle: float = 0.0  # probability of a pause before a prompt beat
    stall: float = 0.0  # fraction of cycles in which tready is low
    hold: int = 0  # cycles for which the first answer is not taken
    reset: Reset | None = None
    stream: int = 0  # on which it is made; those of one stream follow each other

    def job(self) -> dict:
        """Plain data for the bench."""
        return asdict(self)


@dataclass(frozen=True)
class Step:
    """The golden model's work for one token."""

    request: int
    position: int
    token: int
    sampled: bool
    trace: dict[str, np.ndarray]


@dataclass
class GoldenRun:
    """The golden model's answer to a request, made step by step."""

    model: GoldenModel
    request: Request
    number: int = 0
    tokens: list[int] = field(default_factory=list)
    status: int | None = None  # None until the run has ended

    def steps(self) -> Iterator[Step]:
        """Every token that the machine must process, in order; then `status` is known."""
        request, model = self.request, self.model
        state = model.new_state(request.temperature, request.seed)
        sampled = None
        for index, token in enumerate(request.prompt):
            if (error := self._refusal(index, token)) is not None:
                self.status = error
                return
            last = index == len(request.prompt) - 1
            trace = model.step(state, token, last)
            yield Step(self.number, index, token, last, trace)
            sampled = int(trace["token"]) if last else None
        while sampled is not None:
            self.tokens.append(sampled)
            ended = self._ended(sampled, state.position)
            if ended:
                self.status = ended
                return
            position = state.position
            trace = model.step(state, sampled, True)
            yield Step(self.number, position, sampled, True, trace)
            sampled = int(trace["token"])

    def _refusal(self, index: int, token: int) -> int | None:
        """Status bits of a prompt beat that cannot be processed."""
        full, unknown = index >= self.model.context, token >= self.model.qm.vocab_size
        return (TOO_LONG * full | UNKNOWN * unknown) or None

    def _ended(self, token: int, used: int) -> int:
        """Status bits after `token` was emitted with `used` positions of the context used."""
        stop = self.request.stop is not None and token == self.request.stop
        limit = self.request.max_tokens and len(self.tokens) == self.request.max_tokens
        return STOP * stop | LIMIT * bool(limit) | FULL * (used == self.model.context)
