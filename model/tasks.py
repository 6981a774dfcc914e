"""What is learned: any text, or the digit operations `Max ( 5 3 9 ) -> 9`.

A batch is two int32 arrays (B, T): the tokens, and for each position the token to predict, -1 where
the loss does not look.
"""

from __future__ import annotations

import hashlib
import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from configs.cli import UserError
from configs.schema import CONFIG_DIR, Config
from model.tokenizer import NEWLINE, Tokenizer, split

NO_LOSS = -1
EOS = "<eos>"
STORY_CHARS = 100  # lines that are longer on average are taken as stories
FEWEST_STORIES = 20
OPERATIONS: dict[str, Callable[[tuple[int, ...]], int]] = {
    "First": lambda digits: digits[0],
    "Second": lambda digits: digits[1],
    "Last": lambda digits: digits[-1],
    "Max": max,
    "Min": min,
}


class Batch(NamedTuple):
    """tokens, targets: int32 (B, T)."""

    tokens: np.ndarray
    targets: np.ndarray


class Task(ABC):
    """Tokenizer, stop token (None: nothing ends a text), training batches and held-out data.

    `validation` is a Batch of all held-out data, in a fixed order; `prompt` is the config's, or, if
    the tokenizer cannot encode that, the beginning of the text; `fingerprint` tells data apart.
    """

    tokenizer: Tokenizer
    stop_token: int | None
    validation: Batch
    prompt: str
    fingerprint: str

    @abstractmethod
    def train_batch(self, rng: np.random.Generator) -> Batch:
        """A random batch of training data."""

    @abstractmethod
    def calibration(self, n_windows: int, rng: np.random.Generator) -> np.ndarray:
        """Random training tokens, int32 (n_windows, T)."""


def load(config: Config) -> Task:
    """The task that a config names; raises UserError when its data cannot serve."""
    if config.model.kind != "decoder":
        raise UserError(
            f"config '{config.name}': model.kind '{config.model.kind}' cannot learn the task "
            f"'{config.data.task}' yet; make it 'decoder'"
        )
    return DigitsTask(config) if config.data.task == "digits" else TextTask(config)


# -- text --------------------------------------------------------------------------------------
class TextTask(Task):
    """Next-token prediction in a text file."""

    def __init__(self, config: Config) -> None:
        text = read_text(config.data.text)
        self.fingerprint = hashlib.sha256(text.encode()).hexdigest()
        self.length = config.train.seq_len or config.model.context
        self.batch_size = config.train.batch_size
        self.tokenizer = Tokenizer.of(text, config.data.tokenizer, size=config.data.vocab_size)
        if len(self.tokenizer.vocab) < 2:
            raise UserError(
                f"text '{config.data.text}' repeats one token; give a text to learn from"
            )
        stories = split_stories(text, config.data.validation)
        if stories is not None:
            (self.stop_token,) = self.tokenizer.encode(NEWLINE)
            train, held_out = (self._encode(part) for part in stories)
        else:
            self.stop_token = None
            train, held_out = self._by_position(self._encode(text), config.data.validation)
        least = self.length + 1
        if min(len(train), len(held_out)) < least:
            raise UserError(
                f"text '{config.data.text}' is too short: {len(train) + len(held_out)} tokens; "
                f"config '{config.name}' needs {2 * least} or more; use a longer text or a smaller "
                "model.context"
            )
        self._train = train
        self.prompt = self._prompt(config.data.prompt, text)
        windows = (len(held_out) - 1) // self.length
        self.validation = self._windows(held_out, np.arange(windows) * self.length)

    def train_batch(self, rng: np.random.Generator) -> Batch:
        return self._windows(self._train, self._starts(self.batch_size, rng))

    def calibration(self, n_windows: int, rng: np.random.Generator) -> np.ndarray:
        return self._windows(self._train, self._starts(n_windows, rng)).tokens

    def _prompt(self, wanted: str, text: str) -> str:
        kind = self.tokenizer.kind
        if self.tokenizer.knows(wanted):
            return wanted
        start = split(text.strip(), kind)[: self.length // 2]
        return "".join(start[:16]) if kind == "char" else " ".join(start[:3])

    def _encode(self, text: str) -> np.ndarray:
        return np.array(self.tokenizer.encode(text), np.int32)

    def _by_position(self, tokens: np.ndarray, fraction: float) -> tuple[np.ndarray, np.ndarray]:
        """The last part is held out; at least one window."""
        cut = len(tokens) - max(round(len(tokens) * fraction), self.length + 1)
        return tokens[: max(cut, 0)], tokens[max(cut, 0) :]

    def _starts(self, count: int, rng: np.random.Generator) -> np.ndarray:
        return rng.integers(0, len(self._train) - self.length, count)

    def _windows(self, tokens: np.ndarray, starts: np.ndarray) -> Batch:
        index = starts[:, None] + np.arange(self.length)  # (B, T)
        return Batch(tokens[index], tokens[index + 1])


def read_text(path: str) -> str:
    """The text of a UTF-8 file (a relative path starts at the repository), line ends as \\n."""
    file = CONFIG_DIR.parent / path
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"text '{path}' is not UTF-8 (byte {error.start}); convert it") from None
    except OSError as error:
        reason = error.strerror
        raise UserError(f"text '{path}' cannot be read ({reason}); give another --text") from None
    if not text.strip():
        raise UserError(f"text '{path}' is empty; give a text of a few thousand characters or more")
    return text


def split_stories(text: str, fraction: float) -> tuple[str, str] | None:
    """Training and held-out stories, one a line, the held-out ones spread evenly over the file.

    None when the lines of the text are no stories: too short or too few.
    """
    stories = [line.strip() + NEWLINE for line in text.split(NEWLINE) if line.strip()]
    if len(stories) < FEWEST_STORIES or len(text) / len(stories) < STORY_CHARS:
        return None
    held = np.diff(np.floor(np.arange(len(stories) + 1) * fraction)) > 0
    train = "".join(story for story, out in zip(stories, held, strict=True) if not out)
    held_out = "".join(story for story, out in zip(stories, held, strict=True) if out)
    return train, held_out


# -- digits ------------------------------------------------------------------------------------
class DigitsTask(Task):
    """Operations on three digits; the loss looks at the answer and at <eos> only.

    `questions` are the held-out prompts as tokens (n, 7), `answers` their answer tokens (n,).
    """

    def __init__(self, config: Config) -> None:
        examples = [
            (name, *digits, operation(digits))
            for name, operation in OPERATIONS.items()
            for digits in itertools.product(range(10), repeat=3)
        ]
        lines = [f"{op} ( {a} {b} {c} ) -> {answer} {EOS}" for op, a, b, c, answer in examples]
        self.tokenizer = Tokenizer.of(" ".join(lines), "word")
        self.stop_token = self.tokenizer.ids[EOS]
        self.prompt = config.data.prompt
        self.fingerprint = "digits"
        self.batch_size = config.train.batch_size
        tokens = np.array([self.tokenizer.encode(line) for line in lines], np.int32)  # (5000, 9)
        if tokens.shape[1] - 1 > config.model.context:
            raise UserError(
                f"config '{config.name}': model.context {config.model.context} is too short for "
                f"the digits task; make it {tokens.shape[1] - 1} or more"
            )
        order = np.random.default_rng([config.train.seed, 0]).permutation(len(tokens))
        cut = len(tokens) - max(round(len(tokens) * config.data.validation), 1)
        self._train = tokens[order[:cut]]
        held_out = tokens[order[cut:]]
        self.validation = self._examples(held_out)
        self.questions, self.answers = held_out[:, :-2], held_out[:, -2]

    def train_batch(self, rng: np.random.Generator) -> Batch:
        return self._examples(self._train[rng.integers(0, len(self._train), self.batch_size)])

    def calibration(self, n_windows: int, rng: np.random.Generator) -> np.ndarray:
        return self._train[rng.integers(0, len(self._train), n_windows), :-1]

    @staticmethod
    def _examples(tokens: np.ndarray) -> Batch:
        targets = tokens[:, 1:].copy()
        targets[:, :-2] = NO_LOSS
        return Batch(tokens[:, :-1], targets)
