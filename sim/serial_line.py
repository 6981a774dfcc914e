"""A serial line for cocotb, bit by bit: bytes out, bytes in, and what goes wrong on one."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any

from cocotb.triggers import FallingEdge, RisingEdge, Timer, with_timeout

PS = 1000  # of a nanosecond


class Sender:
    """Drives `pin` with bytes; a bit lasts `bit_ns`, which need not be that of the design."""

    def __init__(self, pin: Any, bit_ns: float) -> None:
        self.pin, self.bit = pin, round(bit_ns * PS)
        pin.value = 1

    async def level(self, value: int, bits: float = 1.0) -> None:
        """The line at `value` for a number of bits."""
        self.pin.value = value
        await Timer(max(1, round(self.bit * bits)), "ps")

    async def byte(self, data: int, stop: int = 1) -> None:
        """One byte; with `stop` = 0 its stop bit is low."""
        await self.level(0)
        for index in range(8):
            await self.level(data >> index & 1)
        await self.level(stop)

    async def send(self, data: Iterable[int]) -> None:
        """Bytes without a pause."""
        for byte in data:
            await self.byte(byte)

    async def noise(self, bits: float) -> None:
        """Random levels of random length, then an idle line for longer than a byte."""
        while bits > 0:
            length = random.uniform(0.02, 2.0)
            await self.level(random.getrandbits(1), length)
            bits -= length
        await self.level(1, 12)


class Receiver:
    """Reports every byte on `pin`; a missing stop bit raises AssertionError."""

    def __init__(self, pin: Any, bit_ns: float, on_byte: Callable[[int], None]) -> None:
        self.pin, self.bit, self.on_byte = pin, round(bit_ns * PS), on_byte

    async def run(self) -> None:
        """For ever."""
        while True:
            if str(self.pin.value) != "0":
                await FallingEdge(self.pin)
            await Timer(self.bit // 2, "ps")
            if str(self.pin.value) != "0":
                continue
            data = 0
            for index in range(8):
                await Timer(self.bit, "ps")
                data |= int(self.pin.value) << index
            await Timer(self.bit, "ps")
            assert str(self.pin.value) == "1", f"no stop bit behind 0x{data:02x}"
            self.on_byte(data)


async def quiet(pin: Any, ns: float) -> None:
    """Wait until `pin` has been high for `ns`."""
    while True:
        if str(pin.value) == "0":
            await RisingEdge(pin)
        try:
            await with_timeout(FallingEdge(pin), round(ns * PS), "ps")
        except TimeoutError:
            return
