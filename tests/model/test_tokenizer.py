"""Text to ids and back, and what happens to characters never seen."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.cli import UserError
from model.tokenizer import ScoredTokenizer, Tokenizer, split

TEXT = st.text(min_size=1)
SPECIAL = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]


def scored() -> ScoredTokenizer:
    """Single characters, pairs of them, and pieces that look like special tokens."""
    scores = {" ": -9.0, "a": -8.0, "b": -8.0, "<": -9.0, "s": -9.0, ">": -9.0, "é": -9.0}
    scores |= {"ab": -3.0, " a": -4.0, "ba": -2.0, "bab": -1.0, "<s": -2.0, "<s>": -1.0}
    return ScoredTokenizer([*SPECIAL, *scores], [0.0] * len(SPECIAL) + list(scores.values()))


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


@given(TEXT, TEXT)
def test_byte_pairs_round_trip_whatever_they_were_trained_on(text: str, other: str) -> None:
    tokenizer = Tokenizer.of(text * 2, "bpe", size=300)
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.decode(tokenizer.encode(other)) == other
    assert 256 <= len(tokenizer.vocab) <= 300


@given(TEXT | st.text("ab <s>é\n"))
def test_scored_pieces_round_trip(text: str) -> None:
    tokenizer = Tokenizer.from_dict(json.loads(json.dumps(scored().to_dict())))
    ids = tokenizer.encode(text)
    assert tokenizer.knows(text)
    assert ids[0] == ScoredTokenizer.BOS
    assert ids == scored().encode(text)
    assert tokenizer.decode(ids) == text


def test_scored_pieces_by_hand() -> None:
    tokenizer = scored()
    assert [tokenizer.vocab[i] for i in tokenizer.encode("abab")] == ["<s>", " a", "bab"]
    assert tokenizer.encode("") == [1]
    assert [tokenizer.vocab[i] for i in tokenizer.encode("\u2603")] == [
        *("<s>", " ", "<0xE2>", "<0x98>", "<0x83>")
    ]
    assert tokenizer.decode([1, *tokenizer.encode(" a")[1:], 2]) == " a"
    assert tokenizer.decode(tokenizer.encode("a")[1:]) == " a"  # within a text the blank stays
    with pytest.raises(UserError, match="UTF-8"):
        tokenizer.encode("\ud800")
    assert not tokenizer.knows("\ud800")


@pytest.mark.parametrize(
    "text",
    ["naïve café", "漢字 かな", "😀 👩\u200d👧 e\u0301", "\x00 \ufeff \U0010ffff", "<0x41> <s>"],
)
def test_unicode_round_trips_through_scored_pieces(text: str) -> None:
    assert scored().decode(scored().encode(text)) == text


@pytest.mark.parametrize("kind", ["char", "word", "bpe"])
@pytest.mark.parametrize(
    "text",
    [
        "naïve café",
        "漢字 かな",
        "😀 👩‍👩‍👧 e\u0301",
        "שלום مرحبا",
        "\x00 \ufeff \U0010ffff",
        "a\nb",
    ],
)
def test_unicode_round_trips(kind: str, text: str) -> None:
    tokenizer = Tokenizer.of(text, kind)
    assert tokenizer.knows(text)
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_byte_pairs_are_short_and_the_same_every_time() -> None:
    text = "the cat sat on the mat, the cat sat on the hat\n" * 20
    code = (
        "import sys; from model.tokenizer import Tokenizer\n"
        "print(Tokenizer.of(sys.argv[1], 'bpe').vocab)"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", code, text], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    }
    tokenizer = Tokenizer.of(text, "bpe")
    assert told == {f"{tokenizer.vocab}\n"}
    assert len(tokenizer.encode(text)) <= len(text.split()) + 2 * 20
    with pytest.raises(UserError, match="UTF-8"):
        tokenizer.encode("\ud800")


@given(TEXT.filter(str.strip), st.sampled_from(["char", "word", "bpe"]))
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
        {"kind": "bpe", "vocab": ["a"], "tokenizer": {}},
        {
            "kind": "bpe",
            "vocab": ["a"],
            "tokenizer": Tokenizer.of("ab", "bpe").to_dict()["tokenizer"],
        },
        {"kind": "syllable", "vocab": ["a"]},
        {"kind": "char", "vocab": ["a", "a"]},
        {"kind": "char", "vocab": [1, 2]},
        {"kind": "char", "vocab": []},
        {"kind": "scored", "vocab": SPECIAL},
        {"kind": "scored", "vocab": SPECIAL, "scores": [0.0] * 258},
        {"kind": "scored", "vocab": SPECIAL, "scores": [0.0] * 258 + [math.nan]},
        {"kind": "scored", "vocab": SPECIAL, "scores": [0.0] * 258 + ["x"]},
        {"kind": "scored", "vocab": SPECIAL, "scores": [0.0] * 258 + [None]},
        {"kind": "scored", "vocab": SPECIAL, "scores": 7},
        {"kind": "scored", "vocab": SPECIAL[:-1], "scores": [0.0] * 258},
        {"kind": "scored", "vocab": [*SPECIAL[:-1], "\ud800"], "scores": [0.0] * 259},
    ],
)
def test_what_is_no_tokenizer_is_refused(data: dict) -> None:
    with pytest.raises((ValueError, KeyError)):
        Tokenizer.from_dict(data)
