"""AXI4-Stream for cocotb: a source that drives a prompt, a sink that collects the answer.

Both drive on the falling clock edge and look just after it, when everything has settled, so that
they see the same on every simulator. They sleep while nothing happens: no Python per cycle.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from cocotb.triggers import FallingEdge, ReadOnly, RisingEdge

Beat = tuple[int, bool, bool]  # data, last, user


class ProtocolError(AssertionError):
    """The design broke a rule of the stream."""


def is_high(signal: Any) -> bool:
    return str(signal.value) == "1"


def number(signal: Any, name: str) -> int:
    """The value of `signal`; raises ProtocolError when a bit is X."""
    value = signal.value
    if not value.is_resolvable:
        raise ProtocolError(f"{name} is {value} in a valid beat")
    return int(value)


class Source:
    """Sends beats on `<prefix>_tvalid/tready/tdata/tlast<suffix>` of `dut`."""

    def __init__(
        self, dut: Any, prefix: str, clock: Any, on_beat: Callable[[], None], suffix: str = ""
    ) -> None:
        self.clock, self.on_beat = clock, on_beat

        def signal(name: str) -> Any:
            return getattr(dut, f"{prefix}_{name}{suffix}")

        self.valid, self.ready = signal("tvalid"), signal("tready")
        self.data, self.last = signal("tdata"), signal("tlast")
        self.quiet()

    def quiet(self) -> None:
        """Offer nothing."""
        self.valid.value, self.last.value, self.data.value = 0, 0, 0

    async def send(self, words: Sequence[int], idle: float, rng: random.Random) -> None:
        """One packet; before each beat a pause of 1..30 cycles with probability `idle`."""
        await FallingEdge(self.clock)
        for index, word in enumerate(words):
            if rng.random() < idle:
                self.quiet()
                for _ in range(rng.randint(1, 30)):
                    await FallingEdge(self.clock)
            self.data.value = word
            self.last.value = int(index == len(words) - 1)
            self.valid.value = 1
            await ReadOnly()
            while not is_high(self.ready):
                await RisingEdge(self.ready)
                await FallingEdge(self.clock)
                await ReadOnly()
            await FallingEdge(self.clock)  # the rising edge before it took the beat
            self.on_beat()
        self.quiet()


class Sink:
    """Collects beats from `<prefix>_tvalid/tready/tdata/tlast/tuser<suffix>` of `dut`."""

    def __init__(
        self, dut: Any, prefix: str, clock: Any, on_beat: Callable[[Beat], None], suffix: str = ""
    ) -> None:
        self.clock, self.on_beat = clock, on_beat

        def signal(name: str) -> Any:
            return getattr(dut, f"{prefix}_{name}{suffix}")

        self.valid, self.ready = signal("tvalid"), signal("tready")
        self.data, self.last = signal("tdata"), signal("tlast")
        self.user = signal("tuser")
        self.ready.value = 1

    async def collect(self) -> None:
        """Report every beat, for ever; a stalled beat must not change."""
        stalled: Beat | None = None
        while True:
            if not is_high(self.valid):
                if stalled is not None:
                    raise ProtocolError("tvalid fell before tready rose")
                await RisingEdge(self.valid)
            await FallingEdge(self.clock)
            await ReadOnly()
            if not is_high(self.valid):
                continue
            beat = (number(self.data, "tdata"), is_high(self.last), is_high(self.user))
            if stalled not in (None, beat):
                raise ProtocolError(f"a stalled beat changed from {stalled} to {beat}")
            stalled = beat
            if is_high(self.ready):
                stalled = None
                self.on_beat(beat)

    async def wobble(self, stall: float, rng: random.Random) -> None:
        """Withdraw tready in a fraction `stall` of all cycles, for ever."""
        while True:
            await FallingEdge(self.clock)
            self.ready.value = int(rng.random() >= stall)

    async def hold(self, cycles: int) -> None:
        """Withdraw tready for `cycles` from the first beat on."""
        await FallingEdge(self.clock)
        self.ready.value = 0
        if not is_high(self.valid):
            await RisingEdge(self.valid)
        for _ in range(cycles):
            await FallingEdge(self.clock)
        self.ready.value = 1
