"""The host's end of a serial line to a board: commands, answers, and what to do when one is lost.

A command is sent again when no answer comes or the board could not read it; a request is asked
again when a part of its answer was lost: the machine is deterministic, so the tokens are the same.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType

import serial

from configs.cli import UserError
from configs.protocol import FLAG, PROBLEMS, VERSION, Kind, Problem
from sim.link import Decoder, Message, frame, unpack

TRIES = 8
SLICE = 0.05  # seconds for which a read waits
REPLIES = {
    Kind.PING: Kind.HELLO,
    Kind.PROMPT: Kind.ACCEPTED,
    Kind.STATUS: Kind.STATE,
    Kind.CLEAR: Kind.CLEARED,
    Kind.RESET: Kind.RESTARTED,
}
UNREADABLE = (Problem.CRC, Problem.LENGTH, Problem.TOO_LONG, Problem.STOPPED, Problem.LINE)


class NoAnswer(UserError):
    """The board is silent."""


class Refused(UserError):
    """The board understood a command and did not obey it."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"the board refused the request: {PROBLEMS[problem]}")
        self.problem = problem


@dataclass
class Result:
    """How an answer ended."""

    status: int = 0
    cycles: int = 0
    tokens: int = 0
    repeats: int = 0  # times that it was asked again


@dataclass
class Trouble:
    """What went wrong on the line, as this side saw it."""

    here: dict[str, int] = field(default_factory=dict)  # frames that came broken
    told: dict[str, int] = field(default_factory=dict)  # problems that the board told

    def count(self, where: dict[str, int], problem: Problem) -> None:
        name = PROBLEMS[problem]
        where[name] = where.get(name, 0) + 1


class Board:
    """An open line to a board."""

    def __init__(self, port: str, baud: int, patience: float) -> None:
        self.port, self.patience = port, patience
        self.decoder, self.trouble = Decoder(), Trouble()
        self.inbox: deque[Message] = deque()
        self.tag = random.SystemRandom().randrange(1, 256)
        try:
            self.line = serial.Serial(port, baud, timeout=SLICE, write_timeout=patience)
        except (serial.SerialException, ValueError) as error:
            reason = str(error).split(":")[-1].strip() or "it cannot be opened"
            raise UserError(
                f"--port {port}: {reason}; name the port of a board, or simulate one with "
                "'make board'"
            ) from None
        try:
            self.line.reset_input_buffer()
        except (serial.SerialException, OSError):
            raise UserError(f"--port {port}: this is no serial port") from None

    def __enter__(self) -> Board:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.line.close()

    # ---- messages
    def _next_tag(self) -> int:
        self.tag = self.tag % 255 + 1
        return self.tag

    def _send(self, message: Message) -> None:
        """A frame, behind a flag that ends whatever was on the line."""
        try:
            self.line.write(bytes([FLAG]) + frame(message))
            self.line.flush()
        except (serial.SerialException, OSError) as error:
            raise UserError(f"--port {self.port}: the line is gone ({error})") from None

    def _next(self, end: float) -> Message | None:
        """The next good message; None if there is none before the time `end`."""
        while not self.inbox:
            if time.monotonic() > end:
                return None
            try:
                data = self.line.read(max(1, self.line.in_waiting))
            except (serial.SerialException, OSError) as error:
                raise UserError(f"--port {self.port}: the line is gone ({error})") from None
            for item in self.decoder.feed(data):
                if isinstance(item, Problem):
                    self.trouble.count(self.trouble.here, item)
                elif (message := unpack(item)) is not None:
                    self.inbox.append(message)
        return self.inbox.popleft()

    def command(
        self, kind: Kind, stream: int = 0, fields: dict[str, int] | None = None, tail: bytes = b""
    ) -> Message:
        """Send a command until it is answered; the answer. Parts of answers to prompts are kept."""
        message = Message(kind, self._next_tag(), stream, fields or {}, tail)
        kept: list[Message] = []
        busy = 0
        try:
            for _ in range(TRIES):
                self._send(message)
                end = time.monotonic() + self.patience
                while (reply := self._next(end)) is not None:
                    if reply.kind in (Kind.TOKENS, Kind.DONE):
                        kept.append(reply)
                        if kind == Kind.PROMPT and reply.tag == message.tag:
                            return reply  # its ACCEPTED comes later, or was lost
                    elif reply.tag == message.tag and reply.kind == REPLIES[kind]:
                        return reply
                    elif reply.kind == Kind.ERROR and self._again(reply, message.tag):
                        busy += reply.fields["code"] == Problem.BUSY
                        break
        finally:
            self.inbox.extendleft(reversed(kept))
        if busy == TRIES:
            raise Refused(Problem.BUSY)
        raise NoAnswer(
            f"no answer on {self.port}: is the board on, its bit rate that of --baud, "
            "and no other program at the port?"
        )

    def _again(self, error: Message, tag: int) -> bool:
        """Whether a command is to be sent again; Refused if that would not help."""
        code = error.fields["code"]
        if code not in set(Problem):
            return False
        self.trouble.count(self.trouble.told, Problem(code))
        if error.tag == 0 and code in UNREADABLE:
            return True
        if error.tag == tag and code in (Problem.OVERRUN, Problem.BUSY):
            time.sleep(self.patience / 4)  # what is under way ends by itself
            return True
        if error.tag == tag:
            raise Refused(Problem(code))
        return False

    # ---- what a host wants
    def hello(self, model: int, vocab: int, context: int) -> Message:
        """Who is there; UserError unless it is the model that we have."""
        hello = self.command(Kind.PING)
        if hello.fields["version"] != VERSION:
            raise UserError(
                f"the board speaks version {hello.fields['version']} of the protocol, not "
                f"{VERSION}: load a bitstream of this release"
            )
        theirs = tuple(hello.fields[name] for name in ("model", "vocab", "context"))
        if theirs != (model, vocab, context):
            raise UserError(
                f"the board has another model ({theirs[0]:08x}, vocabulary {theirs[1]}, context "
                f"{theirs[2]}) than this config ({model:08x}, {vocab}, {context}): name its "
                "config, or load this one's bitstream"
            )
        return hello

    def request(
        self, prompt: list[int], settings: dict[str, int], stream: int, result: Result
    ) -> Iterator[int]:
        """Tokens as they come; then `result` is complete. UserError when the line is too bad."""
        tail = b"".join(token.to_bytes(2, "little") for token in prompt)
        got: dict[int, int] = {}  # tokens by index, of all times it was asked
        given = 0
        for _ in range(TRIES):
            self.command(Kind.PROMPT, stream, settings, tail)
            for _ in self._answer(self.tag, stream, got, result):
                while given in got:
                    yield got[given]
                    given += 1
            if result.status and result.tokens == given:
                return
            result.repeats += 1
        raise UserError(
            f"the answer came incomplete {TRIES} times: the line to {self.port} is too noisy; "
            "choose a lower --baud"
        )

    def _answer(
        self, tag: int, stream: int, got: dict[int, int], result: Result
    ) -> Iterator[Message]:
        """Every part of the answer `tag`, put into `got` or `result`, until it has ended."""
        while True:
            message = self._next(time.monotonic() + self.patience)
            if message is None:  # silence: is it still at work?
                if not self.command(Kind.STATUS).fields["running"] >> stream & 1 and not self.inbox:
                    return
            elif message.kind == Kind.ERROR:
                self._again(message, -1)
            elif message.tag == tag and message.kind == Kind.TOKENS:
                got.update(enumerate(message.tokens(), message.fields["index"]))
                yield message
            elif message.tag == tag and message.kind == Kind.DONE:
                result.status = message.fields["status"]
                result.cycles = message.fields["cycles"]
                result.tokens = message.fields["tokens"]
                yield message
                return
