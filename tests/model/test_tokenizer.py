"""Text to ids and back, and what happens to characters never seen."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.cli import UserError
from model.tokenizer import Tokenizer, split

TEXT = st.text(min_size=1)


@given(TEXT)
def test_characters_round_trip(text: str) -> None:
    tokenizer = Tokenizer.of(text, "char")
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert list(tokenizer.vocab) == sorted(set(text))


@given(TEXT.filter(str.strip))
def test_words_round_trip(text: str) -> None:
    tokenizer = Tokenizer.of(text, "word")
    again = tokenizer.decode(tokenizer.encode(text))
    assert split(again, "word") == split(text, "word")


@given(TEXT.filter(str.strip), st.sampled_from(["char", "word"]))
def test_travels_as_json(text: str, kind: str) -> None:
    tokenizer = Tokenizer.of(text, kind)
    copy = Tokenizer.from_dict(json.loads(json.dumps(tokenizer.to_dict())))
    assert copy.kind == kind
    assert copy.encode(text) == tokenizer.encode(text)


def test_words_read_as_written() -> None:
    tokenizer = Tokenizer.of("Max ( 5 3 9 ) -> 9", "word", extra=["<eos>"])
    ids = tokenizer.encode("Max  ( 5 3 9 ) ->")
    assert tokenizer.decode([*ids, tokenizer.ids["<eos>"]]) == "Max ( 5 3 9 ) -> <eos>"
    assert Tokenizer.of("a b\nc", "word").decode([1, 2, 0, 3]) == "a b\nc"


@pytest.mark.parametrize(
    ("kind", "text", "named"), [("char", "café", "'é'"), ("word", "cow", "'cow'")]
)
def test_unseen_is_named_in_one_line(kind: str, text: str, named: str) -> None:
    with pytest.raises(UserError, match=named) as caught:
        Tokenizer.of("cafe\n cat", kind).encode(text)
    assert "\n" not in str(caught.value)
    assert "train on a text" in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"kind": "char"},
        {"kind": "bpe", "vocab": ["a"]},
        {"kind": "char", "vocab": ["a", "a"]},
        {"kind": "char", "vocab": [1, 2]},
        {"kind": "char", "vocab": []},
    ],
)
def test_what_is_no_tokenizer_is_refused(data: dict) -> None:
    with pytest.raises((ValueError, KeyError)):
        Tokenizer.from_dict(data)
