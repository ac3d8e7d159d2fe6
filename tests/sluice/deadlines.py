"""Deadlines that come, by the real clock."""

from __future__ import annotations

import time

from sluice.deadline import Deadline

FOREVER = Deadline(lambda: 900_000)


def deadline_in(milliseconds: int) -> Deadline:
    end = time.monotonic() + milliseconds / 1000
    return Deadline(lambda: int((end - time.monotonic()) * 1000))
