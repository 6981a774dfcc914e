"""A training asked to stop ends after its step, with its state saved."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from typing import Any


class Interrupted(Exception):
    """The user or the system asked a training to stop; its state is saved."""


@contextlib.contextmanager
def stop_signals() -> Iterator[list[int]]:
    """A list that SIGINT and SIGTERM append to, instead of ending the process; once each."""
    received: list[int] = []
    old: dict[int, Any] = {}

    def receive(number: int, _frame: object) -> None:
        received.append(number)
        signal.signal(number, old[number])  # a second one ends at once

    for number in (int(signal.SIGINT), int(signal.SIGTERM)):
        old[number] = signal.signal(number, receive)
    try:
        yield received
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
