"""What is said on the serial line between a host and a board: the one list of types and fields.

The host (`sim.host`), the rendered board and the tables of `docs/link.md` follow it; the constants
of `hdl/board/link.sv` are compared with it by a test. Numbers are sent lowest byte first.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

VERSION = 1
FLAG, ESCAPE, TOGGLE = 0x7E, 0x7D, 0x20
RESIDUE = 0xDEBB20E3  # CRC register behind a good frame
TOKENS_A_FRAME = 16


class Kind(IntEnum):
    """First byte of a message."""

    # from the host
    PING = 0x01
    PROMPT = 0x02
    STATUS = 0x03
    CLEAR = 0x04
    RESET = 0x05
    # from the board
    HELLO = 0x81
    ACCEPTED = 0x82
    STATE = 0x83
    CLEARED = 0x84
    RESTARTED = 0x85
    TOKENS = 0x90
    DONE = 0x91
    ERROR = 0xE0


class Problem(IntEnum):
    """Why something that came was not obeyed: the code of an ERROR."""

    CRC = 1
    LENGTH = 2
    TOO_LONG = 3
    STOPPED = 4
    LINE = 5
    UNKNOWN = 6
    STREAM = 7
    BUSY = 8
    FORMAT = 9
    OVERRUN = 10


PROBLEMS = {
    Problem.CRC: "the CRC of a frame is wrong",
    Problem.LENGTH: "a frame is not as long as it says",
    Problem.TOO_LONG: "a frame is longer than the board can hold",
    Problem.STOPPED: "a frame began and did not go on",
    Problem.LINE: "a byte had no stop bit, or the line broke",
    Problem.UNKNOWN: "no such command",
    Problem.STREAM: "no such stream",
    Problem.BUSY: "the stream is still answering another prompt",
    Problem.FORMAT: "the fields of a command do not have their length",
    Problem.OVERRUN: "a command came before the one before it was answered",
}


@dataclass(frozen=True)
class Field:
    """An unsigned number of `size` bytes."""

    name: str
    size: int
    about: str


HEADER = (
    Field("kind", 1, "what it is"),
    Field("tag", 1, "chosen by the host; answers carry the tag of the command that caused them"),
    Field("stream", 1, "number of the sequence, 0 where it does not matter"),
)
FIELDS: dict[Kind, tuple[Field, ...]] = {
    Kind.PING: (),
    Kind.PROMPT: (
        Field("max_tokens", 2, "0: until the context is full"),
        Field("temperature", 2, "register value, 0 is greedy"),
        Field("seed", 4, "of the noise"),
        Field("stop_token", 2, "ends the answer"),
        Field("stop_enable", 1, "1: there is a stop token"),
    ),
    Kind.STATUS: (),
    Kind.CLEAR: (),
    Kind.RESET: (),
    Kind.HELLO: (
        Field("version", 1, f"of this protocol: {VERSION}"),
        Field("streams", 1, "sequences at the same time"),
        Field("vocab", 2, "tokens are below it"),
        Field("context", 2, "most positions"),
        Field("model", 4, "first four bytes of the artefact's digest, as in the manifest"),
        Field("clock", 4, "of the core in Hz"),
    ),
    Kind.ACCEPTED: (),
    Kind.STATE: (
        Field("running", 1, "bit s: stream s has a prompt or an answer"),
        Field("frames", 4, "good frames that came"),
        *(
            Field(problem.name.lower(), 2, f"how often: {text}; stays at 65535")
            for problem, text in PROBLEMS.items()
        ),
    ),
    Kind.CLEARED: (),
    Kind.RESTARTED: (),
    Kind.TOKENS: (Field("index", 2, "of the first token in the answer"),),
    Kind.DONE: (
        Field("status", 1, "of the closing beat, see architecture.md"),
        Field("tokens", 2, "that the answer had"),
        Field("cycles", 4, "of the core, from the end of the prompt's frame to the closing beat"),
    ),
    Kind.ERROR: (Field("code", 1, "below"),),
}
# What follows the fields.
TAIL = {
    Kind.PROMPT: "the tokens of the prompt, 2 bytes each, at least one",
    Kind.STATE: "the core's counters, 4 bytes each, in the order of the manifest",
    Kind.TOKENS: f"1 to {TOKENS_A_FRAME} tokens, 2 bytes each",
}
ABOUT = {
    Kind.PING: "who is there? Answer: HELLO",
    Kind.PROMPT: "begin a request. Answer: ACCEPTED, then TOKENS as they come, then DONE",
    Kind.STATUS: "how is the line? Answer: STATE",
    Kind.CLEAR: "counters to zero. Answer: CLEARED",
    Kind.RESET: "end all requests and reset the core. Answer: RESTARTED",
    Kind.HELLO: "the model and the machine",
    Kind.ACCEPTED: "the prompt is whole and the stream was free (or runs this very tag already)",
    Kind.STATE: "counters since reset or CLEAR",
    Kind.CLEARED: "done",
    Kind.RESTARTED: "done; no answer of an earlier prompt will come",
    Kind.TOKENS: "a part of an answer",
    Kind.DONE: "the answer is complete",
    Kind.ERROR: "something that came was not obeyed; tag 0 if the frame could not be read",
}


def size(fields: tuple[Field, ...]) -> int:
    """Bytes of `fields`."""
    return sum(field.size for field in fields)


HEADER_SIZE = size(HEADER)


def longest(context: int) -> int:
    """Bytes of the longest message to a board whose model has this context."""
    return HEADER_SIZE + size(FIELDS[Kind.PROMPT]) + 2 * context
