"""Frames on a serial line, as in `docs/link.md`: bytes to messages and back.

    flag | length | content | CRC-32 | flag

Everything between the flags is stuffed: flag and escape are sent as escape and the byte ^ 0x20.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from configs.protocol import (
    ESCAPE,
    FIELDS,
    FLAG,
    HEADER_SIZE,
    TOGGLE,
    Kind,
    Problem,
    size,
)


@dataclass(frozen=True)
class Message:
    """What a frame says: a kind with its fields, and 16-bit or 32-bit words behind them."""

    kind: Kind
    tag: int = 0
    stream: int = 0
    fields: dict[str, int] = field(default_factory=dict)
    tail: bytes = b""

    def tokens(self) -> list[int]:
        """The tail as tokens."""
        return self.words(2)

    def words(self, width: int) -> list[int]:
        """The tail as numbers of `width` bytes; what is left over is dropped."""
        starts = range(0, len(self.tail) - width + 1, width)
        return [int.from_bytes(self.tail[at : at + width], "little") for at in starts]


def pack(message: Message) -> bytes:
    """Content of a frame."""
    header = (message.kind, message.tag, message.stream)
    body = b"".join(
        message.fields.get(item.name, 0).to_bytes(item.size, "little")
        for item in FIELDS[message.kind]
    )
    return bytes(header) + body + message.tail


def unpack(content: bytes) -> Message | None:
    """The message of a frame; None if it is none that we know."""
    if len(content) < HEADER_SIZE or content[0] not in set(Kind):
        return None
    kind = Kind(content[0])
    at, values = HEADER_SIZE, {}
    if len(content) < at + size(FIELDS[kind]):
        return None
    for item in FIELDS[kind]:
        values[item.name] = int.from_bytes(content[at : at + item.size], "little")
        at += item.size
    return Message(kind, content[1], content[2], values, content[at:])


def encode(content: bytes) -> bytes:
    """The frame of `content` (1 to 65535 bytes), both flags included."""
    plain = len(content).to_bytes(2, "little") + content
    plain += zlib.crc32(plain).to_bytes(4, "little")
    return bytes([FLAG, *_stuffed(plain), FLAG])


def frame(message: Message) -> bytes:
    """The frame of a message."""
    return encode(pack(message))


def _stuffed(plain: Iterable[int]) -> Iterator[int]:
    for byte in plain:
        if byte in (FLAG, ESCAPE):
            yield from (ESCAPE, byte ^ TOGGLE)
        else:
            yield byte


class Decoder:
    """Finds frames in bytes; whatever is none is a Problem, and never harms the next frame.

    A line error and a silence are told by `line_error` and `stopped`.
    """

    def __init__(self, longest: int = 0xFFFF) -> None:
        self.longest = longest
        self.plain: bytearray | None = None  # behind a flag, without it
        self.escaped = False

    @property
    def inside(self) -> bool:
        """A frame has begun."""
        return self.plain is not None and (len(self.plain) > 0 or self.escaped)

    def feed(self, data: Iterable[int]) -> Iterator[bytes | Problem]:
        """Contents and problems, in the order in which they end."""
        for byte in data:
            result = self._byte(byte)
            if result is not None:
                yield result

    def line_error(self) -> Problem:
        """A byte without a stop bit came."""
        self.plain, self.escaped = None, False
        return Problem.LINE

    def stopped(self) -> Problem | None:
        """Nothing came for long."""
        if not self.inside:
            return None
        self.plain, self.escaped = None, False
        return Problem.STOPPED

    def _byte(self, byte: int) -> bytes | Problem | None:
        if byte == FLAG:
            plain, inside, escaped = self.plain, self.inside, self.escaped
            self.plain, self.escaped = bytearray(), False
            if not inside or plain is None:
                return None
            if escaped or self._missing(plain) != 0:
                return Problem.LENGTH
            check = int.from_bytes(plain[-4:], "little")
            return bytes(plain[2:-4]) if zlib.crc32(plain[:-4]) == check else Problem.CRC
        if self.plain is None:
            return None
        if byte == ESCAPE and not self.escaped:
            self.escaped = True
            return None
        if byte == ESCAPE:
            return self._broken(Problem.LENGTH)
        self.plain.append(byte ^ TOGGLE if self.escaped else byte)
        self.escaped = False
        if len(self.plain) == 2:
            length = int.from_bytes(self.plain, "little")
            if length == 0 or length > self.longest:
                return self._broken(Problem.TOO_LONG if length else Problem.LENGTH)
        return self._broken(Problem.LENGTH) if self._missing(self.plain) < 0 else None

    def _missing(self, plain: bytearray) -> int:
        """Bytes that a frame still lacks."""
        return int.from_bytes(plain[:2], "little") + 6 - len(plain) if len(plain) > 1 else 1

    def _broken(self, why: Problem) -> Problem:
        self.plain, self.escaped = None, False
        return why
