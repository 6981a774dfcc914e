"""One difference between the hardware and the golden model, and how it is told."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass

from sim.layout import FIRST, Plan

LAYER = re.compile(r"layers\.(\d+)\.(.*)")


@dataclass(frozen=True)
class Mismatch:
    """Where and how the hardware differs.

    `elements` counts what a record that is missing should have held. `element` is None for padding
    and whole records; `lane` -1 for whole records. `line` orders differences by time.
    """

    request: int
    position: int
    stage: str
    step: int | None
    tile: int | None
    lane: int
    element: tuple[int, ...] | None
    expected: int | str
    actual: int | str
    format: str
    cycle: int | None
    line: int
    elements: int = 1
    stream: int | None = None  # where there are several

    @property
    def layer(self) -> int | None:
        match = LAYER.match(self.stage)
        return int(match.group(1)) if match else None

    def as_dict(self) -> dict:
        return {**asdict(self), "layer": self.layer}

    def __str__(self) -> str:
        match = LAYER.match(self.stage)
        stage = f"layer {match.group(1)} {match.group(2)}" if match else self.stage
        token = f"request {self.request} position {self.position}"
        where = [token if self.stream is None else f"stream {self.stream} {token}", stage]
        if self.step is not None:
            where.append(f"step {self.step}")
        if self.tile is not None:
            where.append(f"tile {self.tile}" + (f" lane {self.lane}" if self.lane >= 0 else ""))
        if self.element is not None:
            where.append(f"element [{', '.join(map(str, self.element))}]")
        elif self.lane >= 0:
            where.append("padding")
        when = "" if self.cycle is None else f", cycle {self.cycle}"
        form = f" ({self.format})" if self.format else ""
        return f"{', '.join(where)}: expected {self.expected}, got {self.actual}{form}{when}"


def describe(plan: Plan, flat: int, stage: str) -> tuple[str, tuple[int, ...] | None]:
    """Stage and element of a lane; no element when it is padding."""
    return plan.locate(flat) if flat >= FIRST else (stage, None)
