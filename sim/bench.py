"""What the benches of single modules share: play a timeline of inputs, compare bits afterwards.

Cycle t begins at a falling edge: registered outputs are read, then the inputs of cycle t are
driven, and the rising edge that follows samples them. So an output with latency n of an input that
was driven in cycle t is read in cycle t + n.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

Value = int | str  # a str holds the bits of a value with an X in it
SHOWN = 5  # mismatches that a report shows
RESET_CYCLES = 3


def parameters() -> dict[str, int]:
    """The parameters of the module under test, as the test that started this simulation chose."""
    return json.loads(os.environ["PARAMETERS"])


def signed(value: int, width: int) -> int:
    """Two's complement of the low `width` bits."""
    value &= (1 << width) - 1
    return value - (1 << width) if value >> (width - 1) else value


def pack(values: Sequence[int], width: int) -> int:
    """Lanes to one word, lane 0 lowest."""
    mask, word = (1 << width) - 1, 0
    for value in reversed(values):
        word = word << width | value & mask
    return word


def unpack(word: int, width: int, count: int) -> list[int]:
    """One word to unsigned lanes."""
    return [word >> (lane * width) & ((1 << width) - 1) for lane in range(count)]


def saturate(value: int, bits: int) -> int:
    """Clamp to +-(2^(bits-1) - 1)."""
    top = 2 ** (bits - 1) - 1
    return max(-top, min(top, value))


def round_shift(value: int, shift: int) -> int:
    """value / 2^shift, halves rounded up."""
    return (value + (1 << shift >> 1)) >> shift


def pick(corners: Sequence[int], low: int, high: int) -> int:
    """A corner case in one call of four, else uniform in low..high."""
    return random.choice(corners) if random.random() < 0.25 else random.randint(low, high)


@dataclass(frozen=True)
class Table:
    """A ROM outside the module: `lanes` equal tables with registered outputs, played by the bench.

    A port name "x" stands for the ports x_addr_o and x_data_i.
    """

    port: str
    entries: Sequence[int]
    addr_width: int
    data_width: int
    lanes: int = 1

    def look_up(self, addresses: Value) -> int:
        """The packed data of packed addresses; an X in an address reads as 0."""
        if isinstance(addresses, str):
            addresses = int("".join(bit if bit in "01" else "0" for bit in addresses), 2)
        cells = unpack(addresses, self.addr_width, self.lanes)
        return pack([self.entries[cell % len(self.entries)] for cell in cells], self.data_width)


class Timeline:
    """Inputs by cycle; what is not said is 0 (control) or random (data), so that idle data vary."""

    def __init__(self, control: Sequence[str] = (), data: Mapping[str, int] | None = None) -> None:
        self.widths = dict(data or {})
        self.cycles: dict[str, dict[int, int]] = {name: {} for name in [*control, *self.widths]}
        self.cycles["rst"] = dict.fromkeys(range(RESET_CYCLES), 1)
        self.now = RESET_CYCLES  # where the next stimulus goes

    def at(self, cycle: int, **values: int) -> None:
        """Drive `values` (port without _i: value) in `cycle`."""
        for name, value in values.items():
            self.cycles[name][cycle] = value

    def reset(self, *expected: dict[int, Any]) -> None:
        """Reset in the cycle `now`: what was expected (by cycle) after it will not come."""
        self.at(self.now, rst=1)
        for events in expected:
            for cycle in [cycle for cycle in events if cycle > self.now]:
                del events[cycle]
        self.now += 1

    def value(self, name: str, cycle: int) -> int:
        """What port `name`_i gets in `cycle`."""
        if cycle in self.cycles[name]:
            return self.cycles[name][cycle]
        return random.getrandbits(self.widths[name]) if name in self.widths else 0


Record = dict[str, list[Value]]


async def play(
    dut: Any,
    timeline: Timeline,
    outputs: Sequence[str],
    cycles: int,
    tables: Sequence[Table] = (),
    *,
    settle: bool = False,
) -> Record:
    """Run `cycles` cycles; the value of each output port in each of them.

    settle: outputs are read after the inputs of the cycle are driven, for combinational paths.
    """
    Clock(dut.clk_i, 10, "ns").start(start_high=False)
    names = [name for name in timeline.cycles if name != "rst" or hasattr(dut, "rst_i")]
    inputs = {name: getattr(dut, f"{name}_i") for name in names}
    watched = {name: getattr(dut, name) for name in outputs}
    record: Record = {name: [] for name in outputs}
    addresses: list[Value] = [0] * len(tables)
    for cycle in range(cycles):
        await FallingEdge(dut.clk_i)
        if not settle:
            for name, handle in watched.items():
                record[name].append(read(handle))
        for name, handle in inputs.items():
            handle.value = timeline.value(name, cycle)
        if settle:
            await Timer(1, "ns")
            for name, handle in watched.items():
                record[name].append(read(handle))
        if tables:
            for table, address in zip(tables, addresses, strict=True):
                getattr(dut, f"{table.port}_data_i").value = table.look_up(address)
            await Timer(1, "ns")
            addresses = [read(getattr(dut, f"{table.port}_addr_o")) for table in tables]
    return record


def read(handle: Any) -> Value:
    """The bits of a signal as an unsigned number, or as text if there is an X among them."""
    value = handle.value
    return int(value) if value.is_resolvable else str(value)


class Checker:
    """Compares element by element; names the first mismatches. CORRUPT=n spoils comparison n."""

    def __init__(self, what: str) -> None:
        self.what, self.count = what, 0
        self.mismatches: list[str] = []
        self.corrupt = int(os.environ.get("CORRUPT", "-1"))

    def equal(self, where: str, expected: int, actual: Value) -> None:
        """One comparison of unsigned numbers; `where` names signal, cycle and lane."""
        if self.count == self.corrupt:
            expected ^= 1
        self.count += 1
        if expected != actual:
            self.mismatches.append(f"{where}: expected {expected}, actual {actual}")

    def lanes(self, where: str, expected: Sequence[int], actual: Value, width: int) -> None:
        """A packed word against its lanes (signed or not), `width` bits each."""
        text = actual if isinstance(actual, str) else f"{actual:0{width * len(expected)}b}"
        for lane, value in enumerate(expected):
            end = len(text) - lane * width
            bits = text[end - width : end]
            known = set(bits) <= {"0", "1"}
            self.equal(
                f"{where} lane {lane} ({width} bits)",
                value & ((1 << width) - 1),
                int(bits, 2) if known else bits,
            )

    def finish(self) -> None:
        """Report, and fail if anything differed or nothing was compared."""
        seed = os.environ.get("COCOTB_RANDOM_SEED", "not set")
        cocotb.log.info("%s: %d comparisons, seed %s", self.what, self.count, seed)
        shown = "\n".join(self.mismatches[:SHOWN])
        assert not self.mismatches, f"{self.what}: {len(self.mismatches)} mismatches\n{shown}"
        assert self.count, f"{self.what}: nothing was compared"
