"""What is learned: any text, or the answers to questions such as `Max ( 5 3 9 ) -> 9`.

A batch holds tokens, and for each position the token to predict, -1 where the loss does not look.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np

from configs.cli import UserError
from configs.schema import CONFIG_DIR, Config
from model import questions, transformer
from model.questions import ARROW, EOS
from model.tokenizer import NEWLINE, Tokenizer, split

NO_LOSS = -1
STORY_CHARS = 100  # lines that are longer on average are taken as stories
FEWEST_STORIES = 20
DATA_SEED = 1  # not that of the training, so that what one run holds out no other one has learned
MOST_HELD_OUT = 1000  # questions; more would only cost time


class Batch(NamedTuple):
    """tokens, targets: int32 (B, T); mask: bool (B, T), false at padding; source, int32, and
    source_mask, bool (B, S): what the encoder of an encoder-decoder reads."""

    tokens: np.ndarray
    targets: np.ndarray
    mask: np.ndarray | None = None
    source: np.ndarray | None = None
    source_mask: np.ndarray | None = None

    @property
    def inputs(self) -> dict[str, Any]:
        """What `transformer.forward` takes beside the tokens."""
        return {"mask": self.mask, "source": self.source, "source_mask": self.source_mask}

    def take(self, rows: np.ndarray | slice) -> Batch:
        """Some rows, without the columns that are padding in all of them."""
        targets = self.targets[rows]
        wide = slice(_width(targets >= 0))
        mask = None if self.mask is None else self.mask[rows, wide]
        result = Batch(self.tokens[rows, wide], targets[:, wide], mask)
        if self.source is None or self.source_mask is None:
            return result
        source_mask = self.source_mask[rows]
        wide = slice(_width(source_mask))
        return result._replace(source=self.source[rows, wide], source_mask=source_mask[:, wide])


def _width(used: np.ndarray) -> int:
    """Columns up to the last one of which any row (B, T) makes use."""
    return int(np.flatnonzero(used.any(axis=0))[-1]) + 1


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
    def calibration(self, n_windows: int, rng: np.random.Generator) -> Batch:
        """Random training data of n_windows rows."""


def load(config: Config) -> Task:
    """The task that a config names; raises UserError when its data cannot serve."""
    return TextTask(config) if config.data.task == "text" else QuestionTask(config)


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

    def calibration(self, n_windows: int, rng: np.random.Generator) -> Batch:
        return self._windows(self._train, self._starts(n_windows, rng))

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


# -- questions ---------------------------------------------------------------------------------
class QuestionTask(Task):
    """Questions and answers (`questions.py`), read as the kind of the model does:

        decoder           tokens `question -> answer`, targets `answer <eos>` from the arrow on
        encoder           tokens `question ->`, the answer is the target at the arrow
        encoder-decoder   source `question`, tokens `-> answer`, targets `answer <eos>`

    `questions` are the held-out ones as lists of token ids, with the arrow, `answers` theirs, with
    <eos> (for an encoder without), `groups` what the accuracy of each counts to.
    """

    def __init__(self, config: Config) -> None:
        data = config.data
        asked = questions.ask(data, DATA_SEED)
        self.tokenizer = Tokenizer("word", questions.words(data))
        self.stop_token = self.tokenizer.ids[EOS]
        self.fingerprint = data.task
        self.batch_size = config.train.batch_size
        order = np.random.default_rng([DATA_SEED, 0]).permutation(len(asked))
        held = max(min(round(len(asked) * data.validation), MOST_HELD_OUT, len(asked) - 1), 1)
        lines = [self._encode(asked[index], config.model.kind) for index in order]
        _check_context(config, lines)
        everything = self._batch(lines, config.model.kind)
        self._train = everything.take(slice(len(lines) - held))
        self.validation = everything.take(slice(len(lines) - held, None))
        self.questions, self.answers = map(list, zip(*lines[-held:], strict=True))
        self.groups = [asked[index].group for index in order[-held:]]
        known = self.tokenizer.knows(data.prompt)
        self.prompt = data.prompt if known else self.tokenizer.decode(self.questions[0])

    def train_batch(self, rng: np.random.Generator) -> Batch:
        return self._train.take(rng.integers(0, len(self._train.tokens), self.batch_size))

    def calibration(self, n_windows: int, rng: np.random.Generator) -> Batch:
        return self._train.take(rng.integers(0, len(self._train.tokens), n_windows))

    def _encode(self, one: questions.Question, kind: str) -> tuple[list[int], list[int]]:
        """Tokens of question and answer."""
        answer = one.answer if kind == "encoder" else f"{one.answer} {EOS}"
        return self.tokenizer.encode(f"{one.text} {ARROW}"), self.tokenizer.encode(answer)

    def _batch(self, lines: list[tuple[list[int], list[int]]], kind: str) -> Batch:
        """Questions and answers as a batch, padded on the right with <eos>."""
        if kind == "encoder":
            tokens, mask = self._padded([question for question, _ in lines])
            answers = np.array([answer for _, (answer,) in lines], np.int32)
            return Batch(tokens, transformer.answer_targets(answers, tokens, mask), mask)
        arrow = [self.tokenizer.ids[ARROW]]
        sources = [question[:-1] for question, _ in lines] if kind == "encoder-decoder" else None
        starts = [arrow] * len(lines) if sources else [question for question, _ in lines]
        pairs = [(start, answer) for start, (_, answer) in zip(starts, lines, strict=True)]
        tokens, _ = self._padded([start + answer[:-1] for start, answer in pairs])
        targets, _ = self._padded(
            [[NO_LOSS] * (len(start) - 1) + answer for start, answer in pairs], NO_LOSS
        )
        return Batch(tokens, targets, None, *(self._padded(sources) if sources else ()))

    def _padded(
        self, rows: list[list[int]], fill: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows as one array int32 (B, T), and which of it they are, bool (B, T)."""
        sizes = np.array([len(row) for row in rows])
        real = np.arange(sizes.max()) < sizes[:, None]
        padded = np.full(real.shape, self.stop_token if fill is None else fill, np.int32)
        padded[real] = np.concatenate(rows)
        return padded, real


def _check_context(config: Config, lines: list[tuple[list[int], list[int]]]) -> None:
    """UserError unless each of the questions with its answer fits into the context."""
    apart = config.model.kind == "encoder-decoder"
    needed = max(
        max(len(question) - 1, len(answer)) if apart else len(question) + len(answer) - 1
        for question, answer in lines
    )
    if needed > config.model.context:
        raise UserError(
            f"config '{config.name}': model.context {config.model.context} is too short for the "
            f"questions of the task '{config.data.task}'; make it {needed} or more"
        )
