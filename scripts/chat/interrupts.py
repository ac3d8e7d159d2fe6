"""Ctrl-C, as the part of the program that runs wants it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

WAKE_S = 0.3
"""Time between two such ends, in seconds: a late Ctrl-C still seems to work at once."""


class Interrupts:
    """Handles SIGINT while it is entered, in the main thread.

    A Ctrl-C raises KeyboardInterrupt only within `raising`, so that it cannot break off cleaning
    up. Elsewhere it waits for the next `raising`.
    """

    def __init__(self) -> None:
        self.count = 0
        """How often Ctrl-C was pressed since `forget`."""
        self._act: Callable[[], None] | None = None
        self._waiting = False
        self._before: Any = None

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._received)
        return self

    def __exit__(self, *_exception: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def forget(self) -> None:
        """Count again from zero."""
        self.count = 0

    @contextmanager
    def raising(self) -> Iterator[None]:
        """Raise KeyboardInterrupt at a Ctrl-C, also at one that waits."""
        with self.calling(_raise):
            yield

    @contextmanager
    def reading(self) -> Iterator[None]:
        """As `raising`, around `input`.

        readline overlooks a signal between its prompt and its wait for a key. A timer ends that
        wait again and again, and Python then handles the signal.
        """
        before = signal.signal(signal.SIGALRM, _ignore)
        try:
            with self.raising():
                signal.setitimer(signal.ITIMER_REAL, WAKE_S, WAKE_S)
                yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    @contextmanager
    def calling(self, act: Callable[[], None]) -> Iterator[None]:
        """Call `act` at a Ctrl-C, between two steps of what the main thread does."""
        before, self._act = self._act, act
        try:
            if self._waiting:
                self._waiting = False
                act()
            yield
        finally:
            self._act = before

    def _received(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1
        if self._act:
            self._act()
        else:
            self._waiting = True


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Unlike SIG_IGN it interrupts a wait."""


def _raise() -> None:
    raise KeyboardInterrupt
