"""Text to token ids and back: characters, or words split at white space.

A tokenizer is its kind and its vocabulary; it travels as the plain dict
`{"kind": "char" | "word", "vocab": [...]}`, where a token's id is its index in `vocab`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

from configs.cli import UserError

Kind = Literal["char", "word"]
NEWLINE = "\n"
_WORDS = re.compile(r"\n|[^\s]+")  # a line end is a word of its own: it ends a story


def split(text: str, kind: Kind) -> Sequence[str]:
    """The tokens of `text` as strings."""
    return text if kind == "char" else _WORDS.findall(text)


class Tokenizer:
    """Encodes and decodes with a fixed vocabulary."""

    def __init__(self, kind: Kind, vocab: Sequence[str]) -> None:
        self.kind = kind
        self.vocab = tuple(vocab)
        self.ids = {token: index for index, token in enumerate(self.vocab)}
        if kind not in ("char", "word") or len(self.ids) != len(self.vocab) or not self.vocab:
            raise ValueError("a tokenizer needs kind 'char' or 'word' and distinct tokens")

    @classmethod
    def of(cls, text: str, kind: Kind, extra: Iterable[str] = ()) -> Tokenizer:
        """The tokenizer whose vocabulary is the sorted tokens of `text` (and `extra`)."""
        return cls(kind, sorted(set(split(text, kind)).union(extra)))

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

    @classmethod
    def from_dict(cls, data: dict) -> Tokenizer:
        """The inverse of `to_dict`; raises ValueError or KeyError when `data` is none."""
        vocab = data["vocab"]
        if not isinstance(vocab, list) or not all(isinstance(token, str) for token in vocab):
            raise ValueError("a tokenizer's vocab must be a list of strings")
        return cls(data["kind"], vocab)

    def _listed(self, tokens: Sequence[str], most: int = 20) -> str:
        """Tokens on one line: all characters as one string, or the first words."""
        if self.kind == "char":
            return repr("".join(tokens[:200]))
        shown = " ".join(tokens[:most]).replace(NEWLINE, "\\n")
        return f"'{shown}'" + (f" and {len(tokens) - most} more" if len(tokens) > most else "")
