"""Frames as the host reads and writes them: every message, and anything between them."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.protocol import ESCAPE, FIELDS, FLAG, RESIDUE, Kind, Problem
from sim.link import Decoder, Message, encode, frame, pack, unpack

EAGER = st.one_of(st.sampled_from([FLAG, ESCAPE, FLAG ^ 0x20]), st.integers(0, 255))
CONTENT = st.lists(EAGER, min_size=1, max_size=60).map(bytes)


@given(CONTENT)
def test_a_frame_is_read_as_it_was_written(content: bytes) -> None:
    data = encode(content)
    assert data[0] == data[-1] == FLAG
    assert FLAG not in data[1:-1]
    assert list(Decoder().feed(data)) == [content]


@given(st.lists(EAGER, max_size=80), CONTENT)
def test_whatever_was_before_it_the_next_frame_is_found(noise: list[int], content: bytes) -> None:
    assert list(Decoder().feed([*noise, *encode(content)]))[-1] == content


@given(CONTENT, st.data())
def test_a_flipped_bit_is_always_seen(content: bytes, data: st.DataObject) -> None:
    line = bytearray(encode(content))
    line[data.draw(st.integers(1, len(line) - 2))] ^= 1 << data.draw(st.integers(0, 7))
    assert content not in list(Decoder().feed([*line, FLAG]))


@pytest.mark.parametrize("kind", Kind)
def test_every_message_comes_back(kind: Kind) -> None:
    fields = {field.name: 2 ** (8 * field.size) - 3 for field in FIELDS[kind]}
    message = Message(kind, 7, 3, fields, b"\x01\x02\x7e\x7d")
    assert [unpack(item) for item in Decoder().feed(frame(message)) if isinstance(item, bytes)] == [
        message
    ]
    assert unpack(pack(message)[: 3 + sum(f.size for f in FIELDS[kind]) - 1]) is None


def test_problems_have_their_names() -> None:
    whole = encode(b"abc")
    assert list(Decoder().feed(whole[:4] + whole[-1:])) == [Problem.LENGTH]
    assert list(Decoder(2).feed(whole)) == [Problem.TOO_LONG]
    broken = whole.replace(b"b", b"x")
    assert list(Decoder().feed(broken)) == [Problem.CRC]
    half = Decoder()
    assert list(half.feed(whole[:5])) == []
    assert half.stopped() == Problem.STOPPED
    assert half.stopped() is None
    assert half.line_error() == Problem.LINE
    assert list(half.feed(whole)) == [b"abc"]


def test_the_residue_is_that_of_zlib() -> None:
    plain = b"123456789"
    assert zlib.crc32(plain + zlib.crc32(plain).to_bytes(4, "little")) ^ 0xFFFFFFFF == RESIDUE
