"""Deadlines by the real clock, and clocks that a test, or each look, moves."""

from __future__ import annotations

import time
from itertools import count
from typing import TYPE_CHECKING

from sluice.deadline import Deadline
from tests.scripted_upstream import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Callable

FOREVER = Deadline(lambda: 900_000)


def deadline_in(milliseconds: int) -> Deadline:
    end = time.monotonic() + milliseconds / 1000
    return Deadline(lambda: int((end - time.monotonic()) * 1000))


def until(happened: Callable[[], bool]) -> None:
    """Wait for what gives no sign, such as what another thread or the kernel has got."""
    end = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.001)


class HandClock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0  # seconds

    def __call__(self) -> float:
        return self.now


def hurrying_clock() -> Callable[[], float]:
    """A clock by which each look is 0.1 s later: kept connections have always rested."""
    return count(1_700_000_000, 0.1).__next__
