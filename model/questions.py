"""Questions and their answers: operations on numbers, and strings to copy or to reverse.

    Max ( 5 3 9 ) -> 9                                 numbers up to 9
    Max ( 4 2 , 7 , 9 9 ) -> 9 9                       larger ones digit by digit, commas between
    Max ( First ( 2 8 ) Second ( 5 1 ) ) -> 5          operations inside operations
    c a t -> t a c                                     strings, letter by letter

All are split at blanks into words, which are the tokens. What is asked is an `Expression`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Hashable, Iterator
from random import Random
from string import ascii_lowercase as LETTERS
from typing import NamedTuple, TypeVar

from configs.cli import UserError
from configs.schema import DataConfig

ARROW, EOS = "->", "<eos>"  # between question and answer, and after the answer
NESTED = 0.5  # how often an argument is an operation, where one may be
GROUP = 4  # letters: accuracy of strings is told for 1 to 4, 5 to 8, ...
OPERATIONS: dict[str, Callable[[tuple[int, ...]], int]] = {
    "First": lambda numbers: numbers[0],
    "Second": lambda numbers: numbers[1],
    "Last": lambda numbers: numbers[-1],
    "Max": max,
    "Min": min,
    "Add": sum,
}
# The field knows one function under two names: a string is answered by itself.
STRINGS: dict[str, Callable[[str], str]] = {
    "copy": lambda letters: letters,
    "identity": lambda letters: letters,
    "reverse": lambda letters: letters[::-1],
}

T = TypeVar("T", bound=Hashable)
Expression = int | tuple[str, tuple["Expression", ...]]  # a number, or operation and arguments


class Question(NamedTuple):
    """One line: words of the question and of the answer, and what its accuracy counts to."""

    text: str
    answer: str
    group: str


def ask(data: DataConfig, seed: int) -> list[Question]:
    """All questions of a task where there are no more than `data.examples`, else so many of them;
    no two are the same."""
    rng, few = Random(seed), data.examples
    if data.task in STRINGS:
        all_strings = sum(len(LETTERS) ** size for size in range(1, data.length + 1)) <= few
        drawn = strings(data) if all_strings else _distinct(few, lambda: draw_string(data, rng))
        return [_of_string(letters, data) for letters in drawn]
    if count(data) <= few:
        return [_of_expression(expression, data) for expression in expressions(data)]
    return [_of_expression(one, data) for one in _distinct(few, lambda: draw(data, rng))]


def words(data: DataConfig) -> list[str]:
    """Every word that a question or an answer of the task may have, in order."""
    if data.task in STRINGS:
        return sorted({*LETTERS, ARROW, EOS})
    several = data.largest > 9 or "Add" in data.operations
    digits = map(str, range(10 if several else data.largest + 1))
    comma = {","} if data.largest > 9 else set()
    return sorted({*data.operations, *digits, *comma, "(", ")", ARROW, EOS})


def _of_string(letters: str, data: DataConfig) -> Question:
    low = (len(letters) - 1) // GROUP * GROUP + 1
    group = f"{low:2} to {min(low + GROUP - 1, data.length):2} letters"
    return Question(" ".join(letters), " ".join(STRINGS[data.task](letters)), group)


def _of_expression(expression: Expression, data: DataConfig) -> Question:
    group = "" if isinstance(expression, int) else expression[0]
    return Question(spell(expression, data.largest), " ".join(str(value(expression))), group)


# -- operations --------------------------------------------------------------------------------
def value(expression: Expression) -> int:
    """What an expression comes to."""
    if isinstance(expression, int):
        return expression
    operation, arguments = expression
    return OPERATIONS[operation](tuple(value(argument) for argument in arguments))


def spell(expression: Expression, largest: int) -> str:
    """The words of an expression whose numbers are at most `largest`."""
    if isinstance(expression, int):
        return " ".join(str(expression))
    operation, arguments = expression
    between = " , " if largest > 9 else " "
    return f"{operation} ( {between.join(spell(part, largest) for part in arguments)} )"


def count(data: DataConfig, depth: int | None = None) -> int:
    """How many expressions there are: of `data.depth` levels at most, and if that is more than
    one, of at least two; or, for what stands inside another, of `depth` levels at most."""
    levels, numbers = depth or data.depth, data.largest + 1
    parts = numbers + (count(data, levels - 1) if levels > 1 else 0)
    flat = numbers if depth is None and levels > 1 else 0
    sizes = range(data.min_arguments, data.max_arguments + 1)
    return len(data.operations) * sum(parts**size - flat**size for size in sizes)


def expressions(data: DataConfig, depth: int | None = None) -> Iterator[Expression]:
    """Those that `count` counts."""
    levels = depth or data.depth
    parts: list[Expression] = list(range(data.largest + 1))
    if levels > 1:
        parts += expressions(data, levels - 1)
    for operation in data.operations:
        for size in range(data.min_arguments, data.max_arguments + 1):
            for arguments in itertools.product(parts, repeat=size):
                if depth or levels == 1 or not all(isinstance(part, int) for part in arguments):
                    yield operation, arguments


def draw(data: DataConfig, rng: Random, depth: int | None = None) -> Expression:
    """One of those that `count` counts; every number of arguments is as likely."""
    levels = depth or data.depth
    size = rng.randint(data.min_arguments, data.max_arguments)
    inner = [levels > 1 and rng.random() < NESTED for _ in range(size)]
    if depth is None and levels > 1:
        inner[rng.randrange(size)] = True
    arguments = tuple(
        draw(data, rng, levels - 1) if deeper else rng.randint(0, data.largest) for deeper in inner
    )
    return rng.choice(data.operations), arguments


# -- strings -----------------------------------------------------------------------------------
def strings(data: DataConfig) -> list[str]:
    """Every string of up to `data.length` letters."""
    sizes = range(1, data.length + 1)
    return ["".join(s) for size in sizes for s in itertools.product(LETTERS, repeat=size)]


def draw_string(data: DataConfig, rng: Random) -> str:
    """One of those; every length is as likely."""
    return "".join(rng.choices(LETTERS, k=rng.randint(1, data.length)))


def _distinct(number: int, one: Callable[[], T]) -> list[T]:
    """`number` different results of `one`, in the order in which they came."""
    found: dict[T, None] = {}
    while len(found) < number:
        found[one()] = None
    return list(found)


# -- what people type --------------------------------------------------------------------------
def read(text: str, data: DataConfig) -> str:
    """The words of a question in whatever spelling, as `Max(5, 3, 9)` or `hello`, up to an arrow;
    UserError when it is none that the task asks."""
    text = text.partition(ARROW)[0]
    if data.task in STRINGS:
        letters = "".join(text.split())
        if not re.fullmatch(f"[a-z]{{1,{data.length}}}", letters):
            raise UserError(f"ask like `{LETTERS[: data.length][:5]}`: 1 to {data.length} letters")
        return " ".join(letters)
    tokens = re.findall(r"[A-Za-z]+|[0-9]+|\S", text)[::-1]
    try:
        expression = _parse(tokens, data)
        if tokens or not _fits(expression, data):
            raise ValueError
    except (ValueError, IndexError, RecursionError):
        least, most = data.min_arguments, data.max_arguments
        sizes = f"{least}" if least == most else f"{least} to {most}"
        levels = f", inside each other up to {data.depth} deep" if data.depth > 1 else ""
        example, names = spell(draw(data, Random(1)), data.largest), ", ".join(data.operations)
        raise UserError(
            f"ask like `{example}`: {names} of {sizes} numbers from 0 to {data.largest}{levels}"
        ) from None
    return spell(expression, data.largest)


def _parse(tokens: list[str], data: DataConfig) -> Expression:
    """Takes an operation and its arguments off the end of `tokens`, which are in reverse order.

    Numbers above 9 may be written digit by digit if commas stand between them.
    """
    operation = tokens.pop().capitalize()
    if operation not in data.operations:
        raise ValueError(operation)
    closed = tokens[-1] == "("
    if closed:
        tokens.pop()
    parts: list[list[Expression | str]] = [[]]  # what commas separate
    while tokens and tokens[-1] != ")":
        if tokens[-1] == ",":
            tokens.pop()
            parts.append([])
        else:
            number = tokens[-1][0] in "0123456789"
            parts[-1].append(tokens.pop() if number else _parse(tokens, data))
    if closed:
        tokens.pop()
    if data.largest > 9 and len(parts) > 1:
        parts = [["".join(map(str, part))] if len(part) > 1 else part for part in parts]
    arguments = [int(one) if isinstance(one, str) else one for part in parts for one in part]
    return operation, tuple(arguments)


def _fits(expression: Expression, data: DataConfig, depth: int | None = None) -> bool:
    """Whether an expression is one of those that `count` counts."""
    if isinstance(expression, int):
        return depth is not None and expression <= data.largest
    levels, arguments = data.depth if depth is None else depth, expression[1]
    flat = all(isinstance(part, int) for part in arguments)
    return (
        levels > 0
        and data.min_arguments <= len(arguments) <= data.max_arguments
        and not (flat and depth is None and levels > 1)
        and all(_fits(part, data, levels - 1) for part in arguments)
    )
