"""Where the cycles of a token go, in words that say what the machine was doing."""

from __future__ import annotations

from export import geometry as geo
from export.counters import GATE, IDLE, ISSUED, NOISE, OPERAND
from export.program import DEST, Step
from export.timing import Machine, Token

# Exclusive; they add up to the cycles of a token.
STAGES = {
    "matrix": "waves of the layers' weight matrices",
    "attention": "waves with the KV cache, and waits for queries, keys, values",
    "head": "waves of the output matrix",
    "softmax": "waits for probabilities",
    "norm": "waits for the norm's scalar alone, its vector being there",
    "sampling": "waits for noise; from the last wave to the next start",
    "bubbles": "all other waits: for a vector to pass array and vector unit, for a step; "
    "with several streams also for the norm, and the empty waves of the embedding",
}
SLOT_STAGES = {geo.SLOT_Q: "attention", geo.SLOT_K: "attention", geo.SLOT_V: "attention"}


def kind(step: Step) -> str:
    """What the waves of a step are; those of the embedding, with several streams, carry nothing."""
    if step.dest == DEST["none"]:
        return "bubbles"
    if step.kv:
        return "attention"
    return "head" if step.dest == DEST["logit"] else "matrix"


def waits(slot: int) -> str:
    """What a wait for an operand is."""
    return "softmax" if slot >= geo.FIRST_HEAD_SLOT else SLOT_STAGES.get(slot, "bubbles")


def split(machine: Machine, token: Token) -> dict[str, int]:
    """Cycles of `token` by stage; they add up to `token.cycles`."""
    result = dict.fromkeys(STAGES, 0)
    for (cause, number), cycles in token.spent.items():
        if cause == IDLE:
            result["sampling" if token.sampled else "bubbles"] += cycles
            continue
        step = machine.steps[number]
        if cause == ISSUED:
            result[kind(step)] += cycles
        elif cause == OPERAND:
            late = min(cycles, machine.geometry.norm_wait) if step.slot == geo.SLOT_X else 0
            result["norm"] += late
            result[waits(step.slot)] += cycles - late
        else:
            result[{GATE: "attention", NOISE: "sampling"}.get(cause, "bubbles")] += cycles
    return result
