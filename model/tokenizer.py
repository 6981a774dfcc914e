"""Text to token ids and back: characters, words split at white space, or byte pairs.

A tokenizer is its kind and its vocabulary; it travels as the plain dict
`{"kind": "char" | "word" | "bpe" | "scored", "vocab": [...]}`, where a token's id is its index in
`vocab`. A "bpe" one has its standard tokenizer.json beside them, as "tokenizer": other programs can
read it. A "scored" one comes with models of llama2.c, and is not trained here.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal, get_args

from configs.cli import UserError

Kind = Literal["char", "word", "bpe", "scored"]
NEWLINE = "\n"
_WORDS = re.compile(r"\n|[^\s]+")  # a line end is a word of its own: it ends a story


def split(text: str, kind: Kind) -> Sequence[str]:
    """The characters or words of `text`."""
    return text if kind == "char" else _WORDS.findall(text)


class Tokenizer:
    """Encodes and decodes characters or words with a fixed vocabulary; `Bpe` byte pairs."""

    def __init__(self, kind: Kind, vocab: Sequence[str]) -> None:
        self.kind = kind
        self.vocab = tuple(vocab)
        self.ids = {token: index for index, token in enumerate(self.vocab)}
        if len(self.ids) != len(self.vocab) or not self.vocab:
            raise ValueError("a tokenizer needs distinct tokens")

    @classmethod
    def of(cls, text: str, kind: Kind, extra: Iterable[str] = (), size: int = 512) -> Tokenizer:
        """The tokenizer learned from `text`: the sorted characters or words that occur there (and
        `extra`), or at most `size` byte pairs."""
        if kind == "bpe":
            return Bpe.train(text, size)
        return cls(kind, sorted(set(split(text, kind)).union(extra)))

    def knows(self, text: str) -> bool:
        """Whether `text` can be encoded."""
        return self.ids.keys() >= set(split(text, self.kind))

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`; raises UserError that names the tokens never seen."""
        tokens = split(text, self.kind)
        unseen = sorted(set(tokens) - self.ids.keys())
        if unseen:
            what = "characters" if self.kind == "char" else "words"
            raise UserError(
                f"the tokenizer has not seen the {what} {self._listed(unseen)}; "
                f"use only {self._listed(self.vocab)}, or train on a text that has them"
            )
        return [self.ids[token] for token in tokens]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of token ids; words are joined by one blank."""
        tokens = [self.vocab[index] for index in ids]
        if self.kind == "char":
            return "".join(tokens)
        return " ".join(tokens).replace(" \n", NEWLINE).replace("\n ", NEWLINE)

    def to_dict(self) -> dict:
        """Plain data for a JSON file."""
        return {"kind": self.kind, "vocab": list(self.vocab)}

    @staticmethod
    def from_dict(data: dict) -> Tokenizer:
        """The inverse of `to_dict`; raises ValueError or KeyError when `data` is none."""
        vocab, kind = data["vocab"], data["kind"]
        if not isinstance(vocab, list) or not all(isinstance(token, str) for token in vocab):
            raise ValueError("a tokenizer's vocab must be a list of strings")
        if kind not in get_args(Kind):
            raise ValueError(f"a tokenizer of kind '{kind}': there are {', '.join(get_args(Kind))}")
        if kind == "scored":
            scores = data["scores"]
            if not isinstance(scores, list) or not all(isinstance(x, int | float) for x in scores):
                raise ValueError("a tokenizer's scores must be a list of numbers")
            return ScoredTokenizer(vocab, scores)
        tokenizer = Bpe.parse(data["tokenizer"]) if kind == "bpe" else Tokenizer(kind, vocab)
        if list(tokenizer.vocab) != vocab:
            raise ValueError("a tokenizer.json with another vocabulary than the one beside it")
        return tokenizer

    def _listed(self, tokens: Sequence[str], most: int = 20) -> str:
        """Tokens on one line: all characters as one string, or the first words."""
        if self.kind == "char":
            return repr("".join(tokens[:200]))
        shown = " ".join(tokens[:most]).replace(NEWLINE, "\\n")
        return f"'{shown}'" + (f" and {len(tokens) - most} more" if len(tokens) > most else "")


class Bpe(Tokenizer):
    """Byte-pair encoding on UTF-8 bytes (arXiv 1508.07909, as in GPT-2): any text can be encoded.

    The library `tokenizers` does the work; a token of `vocab` spells each byte as one letter.
    """

    def __init__(self, library: Any) -> None:
        ids = library.get_vocab()
        super().__init__("bpe", sorted(ids, key=ids.__getitem__))
        if self.ids != ids:
            raise ValueError("a tokenizer's ids must count from 0")
        self._library = library

    @classmethod
    def train(cls, text: str, size: int) -> Bpe:
        """The 256 bytes, and the most frequent pairs of `text` up to `size` tokens."""
        from tokenizers import Tokenizer as Library  # only those who use it load it
        from tokenizers import decoders, models, pre_tokenizers, trainers

        library = Library(models.BPE())
        library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        library.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=size,
            min_frequency=2,
            show_progress=False,
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        )
        library.train_from_iterator(text.splitlines(keepends=True), trainer)
        return cls(library)

    @classmethod
    def parse(cls, data: dict) -> Bpe:
        """From the contents of a tokenizer.json; raises ValueError."""
        from tokenizers import Tokenizer as Library

        try:
            library = Library.from_str(json.dumps(data))
        except Exception as error:  # the library raises nothing more special
            raise ValueError(f"no tokenizer.json: {error}") from None
        return cls(library)

    def knows(self, text: str) -> bool:
        return _is_unicode(text)

    def encode(self, text: str) -> list[int]:
        if not _is_unicode(text):
            raise UserError("the text is not UTF-8; convert it")
        return self._library.encode(text).ids

    def decode(self, ids: Iterable[int]) -> str:
        return self._library.decode(list(ids), skip_special_tokens=True)

    def to_dict(self) -> dict:
        return super().to_dict() | {"tokenizer": json.loads(self._library.to_str())}


class ScoredTokenizer(Tokenizer):
    """The BPE of llama2.c, SentencePiece's: of all neighbours, those of the best score merge first.

    Token 0 is unknown, 1 begins every text, 2 ends it; 3 + b is the raw byte b, written `<0xB>` in
    two hexadecimal digits, of which characters are made that are no token. A text gets a blank in
    front. As a dict, the scores are beside the vocabulary.
    """

    BOS, EOS, FIRST_BYTE, FIRST = 1, 2, 3, 259  # FIRST: of those that text is made of

    def __init__(self, vocab: Sequence[str], scores: Sequence[float]) -> None:
        self.kind = "scored"
        self.vocab, self.scores = tuple(vocab), tuple(scores)
        if len(self.vocab) < self.FIRST or not all(map(_is_unicode, self.vocab)):
            raise ValueError(f"{len(self.vocab)} tokens: expected {self.FIRST} or more, of Unicode")
        if len(self.scores) != len(self.vocab) or not all(map(math.isfinite, self.scores)):
            raise ValueError("a scored tokenizer needs a finite score for each token")
        pieces = list(enumerate(self.vocab))[self.FIRST :]
        self.ids = {piece: index for index, piece in reversed(pieces)}  # of equal ones the first

    def knows(self, text: str) -> bool:
        return _is_unicode(text)

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`, after the one that begins a text."""
        if not _is_unicode(text):
            raise UserError("the text is not UTF-8; convert it")
        ids: list[int] = []
        for character in " " + text if text else "":
            known = self.ids.get(character)
            raw = [byte + self.FIRST_BYTE for byte in character.encode()]
            ids += raw if known is None else [known]
        while joined := [
            (at, self.ids[both])
            for at, (a, b) in enumerate(itertools.pairwise(ids))
            if (both := self.vocab[a] + self.vocab[b]) in self.ids
        ]:
            at, piece = max(joined, key=lambda pair: self.scores[pair[1]])  # first of equals
            ids[at : at + 2] = [piece]
        return [self.BOS, *ids]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of token ids; what begins and ends a text is not shown."""
        data, before = b"", None
        for index in ids:
            if self.FIRST_BYTE <= index < self.FIRST:
                data += bytes([index - self.FIRST_BYTE])
            elif index not in (self.BOS, self.EOS):
                piece = self.vocab[index]
                data += (piece.removeprefix(" ") if before == self.BOS else piece).encode()
            before = index
        return data.decode("utf-8", "replace")

    def to_dict(self) -> dict:
        return super().to_dict() | {"scores": list(self.scores)}


def _is_unicode(text: str) -> bool:
    """False for half a character: bytes of the command line that are not UTF-8."""
    return not any("\ud800" <= char <= "\udfff" for char in text)
