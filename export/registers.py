"""The registers of the SoC top: the one list for Verilog, the C header and docs/registers.md.

Words of 32 bits at byte addresses. A register with `stream` is there once per stream, `STRIDE`
bytes apart; one with `counter` once per counter of the core, 4 bytes apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

ADDR_W = 10
STRIDE = 0x20
ID, VERSION = 0x46584631, 1  # "FXF1"
STREAMS_MAX = 8
LOST_BIT = 16  # of EVENTS
# ro: read only; rw: read and write; pulse: a 1 acts once and reads as 0; w1c: set by the machine, a
# written 1 clears it.
Access = Literal["ro", "rw", "pulse", "w1c"]


@dataclass(frozen=True)
class Field:
    """Bits of a register, and the port of `soc_regs` that they are connected to."""

    name: str
    lsb: int
    width: int
    about: str

    @property
    def mask(self) -> int:
        return (1 << self.width) - 1 << self.lsb


@dataclass(frozen=True)
class Register:
    """One word; with `stream` or `counter`, several."""

    name: str
    address: int
    access: Access
    fields: tuple[Field, ...]
    about: str
    stream: bool = False
    counter: bool = False


def _one(name: str, width: int, about: str) -> tuple[Field, ...]:
    return (Field(name, 0, width, about),)


REGISTERS = (
    Register("ID", 0x000, "ro", _one("id", 32, f"0x{ID:08X}"), "what this is"),
    Register("VERSION", 0x004, "ro", _one("version", 32, str(VERSION)), "of this map"),
    Register("MODEL", 0x008, "ro", _one("model", 32, "as in the manifest"), "which model"),
    Register(
        "SHAPE",
        0x00C,
        "ro",
        (Field("streams", 0, 8, "sequences"), Field("counters", 8, 8, "counters of the core")),
        "how many",
    ),
    Register(
        "LIMITS",
        0x010,
        "ro",
        (Field("vocab", 0, 16, "tokens are below it"), Field("context", 16, 16, "positions")),
        "of the model",
    ),
    Register(
        "CONTROL",
        0x014,
        "pulse",
        (
            Field("reset", 0, 1, "end all requests; what is left of a prompt is a new one"),
            Field("clear", 1, 1, "counters to zero"),
        ),
        "acts at once",
    ),
    Register("BUSY", 0x018, "ro", _one("busy", 8, "bit s: stream s has a request"), "now"),
    Register(
        "EVENTS",
        0x01C,
        "w1c",
        (
            Field("closed", 0, 8, "bit s: stream s has ended a request"),
            Field("lost", LOST_BIT, 1, "a beat for a stream that is not there was dropped"),
        ),
        "since they were cleared",
    ),
    Register(
        "IRQ_ENABLE",
        0x020,
        "rw",
        (
            Field("closed_enable", 0, 8, "these bits of EVENTS"),
            Field("lost_enable", LOST_BIT, 1, "raise irq"),
        ),
        "which events raise `irq`",
    ),
    Register(
        "MAX_TOKENS", 0x100, "rw", _one("max_tokens", 16, "0: no limit"), "of an answer", True
    ),
    Register(
        "TEMPERATURE", 0x104, "rw", _one("temperature", 16, "0 is greedy"), "of the sampler", True
    ),
    Register("SEED", 0x108, "rw", _one("seed", 32, "of the noise"), "of the sampler", True),
    Register(
        "STOP",
        0x10C,
        "rw",
        (Field("stop_token", 0, 16, "ends an answer"), Field("stop_enable", 16, 1, "is there one")),
        "when an answer ends",
        True,
    ),
    Register(
        "STATUS", 0x110, "ro", _one("status", 8, "as in architecture.md"), "of the last end", True
    ),
    Register(
        "COUNTER", 0x200, "ro", _one("counter", 32, "order of the manifest"), "of the core",
        counter=True,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    """A register where it is: `index` is the number of its stream or counter."""

    register: Register
    index: int
    address: int

    @property
    def name(self) -> str:
        several = self.register.stream or self.register.counter
        return self.register.name.lower() + (f"_{self.index}" if several else "")

    @property
    def mask(self) -> int:
        """Bits that exist."""
        return sum(field.mask for field in self.register.fields)

    def slices(self, side: str) -> list[tuple[str, int, int]]:
        """(port with its slice, least bit, width) of each field; ports are packed by index."""
        return [
            (f"{field.name}_{side}[{self.index * field.width}+:{field.width}]", field.lsb,
             field.width)
            for field in self.register.fields
        ]  # fmt: skip


def places(streams: int, counters: int) -> list[Place]:
    """Every register of a machine, in order of address."""
    result = []
    for register in REGISTERS:
        count = streams if register.stream else counters if register.counter else 1
        step = STRIDE if register.stream else 4
        result += [Place(register, i, register.address + i * step) for i in range(count)]
    return sorted(result, key=lambda place: place.address)


def ports(streams: int, counters: int) -> Iterator[tuple[Access, str, int]]:
    """(access, name, width) of the ports that the fields need."""
    for register in REGISTERS:
        count = streams if register.stream else counters if register.counter else 1
        for field in register.fields:
            yield register.access, field.name, field.width * count


def header(streams: int, counters: Sequence[str]) -> list[tuple[str, str, str]]:
    """(name, value, comment) of each constant of the C header."""
    result = [("FIXFORMER_STREAM_STRIDE", f"0x{STRIDE:X}u", "bytes from a stream's to the next's")]
    result.append(("FIXFORMER_STREAMS", f"{streams}u", ""))
    result.append(("FIXFORMER_COUNTERS", f"{len(counters)}u", ", ".join(counters)))
    result.append(("FIXFORMER_ID_VALUE", f"0x{ID:08X}u", "what ID reads"))
    for register in REGISTERS:
        name = f"FIXFORMER_{register.name}"
        where = " of stream 0" * register.stream + " of counter 0" * register.counter
        about = f"{register.access}, {register.about}{where}"
        result.append((name, f"0x{register.address:03X}u", about))
        for field in register.fields:
            if len(register.fields) > 1 or field.width < 32:
                long = f"{name}_{field.name.upper()}"
                result.append((f"{long}_SHIFT", f"{field.lsb}u", field.about))
                result.append((f"{long}_MASK", f"0x{field.mask:08X}u", ""))
    return result
