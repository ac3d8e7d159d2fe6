"""Deadlines by the real clock, and a clock that stands still until a test moves it."""

from __future__ import annotations

import time

from sluice.deadline import Deadline

FOREVER = Deadline(lambda: 900_000)


def deadline_in(milliseconds: int) -> Deadline:
    end = time.monotonic() + milliseconds / 1000
    return Deadline(lambda: int((end - time.monotonic()) * 1000))


class HandClock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0  # seconds

    def __call__(self) -> float:
        return self.now
