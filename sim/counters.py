"""The machine's counters against their own rules, and against what export predicted.

The manifest says what the counters count for every token in a machine whose host never makes it
wait. A host that waits adds to `host` and `cycles`, and to nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sim.requests import TOO_LONG, UNKNOWN, GoldenRun, Request

if TYPE_CHECKING:
    from sim.checker import Checker


def read(manifest: dict, bits: str | None) -> dict[str, int] | None:
    """The counters by name, from the bits of the port; None when they are not known."""
    if bits is None or set(bits) - {"0", "1"}:
        return None
    names, width = manifest["counters"]["names"], manifest["counters"]["width"]
    word, mask = int(bits, 2), (1 << width) - 1
    return {name: word >> (n * width) & mask for n, name in enumerate(names)}


def is_free(request: Request) -> bool:
    """Whether both streams of the request always move."""
    return not (request.idle or request.stall or request.hold or request.reset)


def token(manifest: dict, position: int, sampled: bool, warm: bool) -> list[int]:
    """What the counters count for one token."""
    table = manifest["cycles"]
    if not sampled:
        return table["prompt"][position]
    if position == 0:
        return table["first"][warm]
    return table["warm" if warm else "greedy"][position]


def expected(manifest: dict, runs: Sequence[GoldenRun]) -> dict[str, int]:
    """The counters after `runs`, as predicted."""
    rows = []
    for run in runs:
        prompt, warm = len(run.request.prompt), run.request.temperature > 0
        rows.append(manifest["cycles"]["request"])
        positions = range(prompt + len(run.tokens) - 1)
        rows += [token(manifest, place, place >= prompt - 1, warm) for place in positions]
    totals = [sum(column) for column in zip(*rows, strict=True)]
    return dict(zip(manifest["counters"]["names"], totals, strict=True))


def problems(manifest: dict, checker: Checker, counted: dict[str, int] | None) -> list[str]:
    """What contradicts the rules or the prediction, in words."""
    if counted is None:
        return ["the counters are not numbers"]
    found = []
    causes = sum(value for name, value in counted.items() if name != "cycles")
    if causes != counted["cycles"]:
        found.append(f"the counters add up to {causes}, not to {counted['cycles']} cycles")
    requests = [run.request for run in checker.runs]
    if manifest["cycles"] is None:
        return found  # several streams: each token's time depends on the others
    for timing in checker.timings:
        request = requests[timing.request]
        if timing.cycles is None or not is_free(request):
            continue
        warm = request.temperature > 0
        want = token(manifest, timing.position, timing.sampled, warm)[0]
        if timing.cycles != want:
            kind = "sampled" if timing.sampled else "prompt"
            found.append(
                f"request {timing.request}, position {timing.position}: the {kind} token took "
                f"{timing.cycles} cycles, {want} were predicted"
            )
    refused = any((run.status or 0) & (UNKNOWN | TOO_LONG) for run in checker.runs)
    if refused or any(request.reset for request in requests):
        return found  # the prediction is for whole requests
    for name, want in expected(manifest, checker.runs).items():
        waits = name in ("cycles", "host") and not all(map(is_free, requests))
        if counted[name] != want and not waits:
            found.append(f"counter {name}: {counted[name]} cycles, {want} were predicted")
    return found
