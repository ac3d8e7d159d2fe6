"""The moment by which an answer must be over, and the alarm that rings then."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sluice.errors import DeadlineReached

if TYPE_CHECKING:
    from collections.abc import Callable

MARGIN_S = 1.0
"""Kept of the function's time to say that it is over: a write and a round trip to the client."""
LAST_MOMENT_S = 0.1  # kept of the margin for the log line


@dataclass(frozen=True, slots=True)
class Deadline:
    """`remaining_ms` is the function's context.get_remaining_time_in_millis."""

    remaining_ms: Callable[[], int]

    def seconds_left(self) -> float:
        """Seconds for the answer. Raises DeadlineReached when there are none."""
        seconds = self.remaining_ms() / 1000 - MARGIN_S
        if seconds <= 0:
            raise reached()
        return seconds

    def seconds_to_last_moment(self) -> float:
        """Seconds in which something can still be said, if only that the time is over."""
        return max(0.0, self.remaining_ms() / 1000 - LAST_MOMENT_S)


class Alarm:
    """Calls `ring` from another thread in `seconds`, unless cancelled before."""

    def __init__(self, seconds: float, ring: Callable[[], object]) -> None:
        self._ring = ring
        self._lock = threading.Lock()
        self._cancelled = False
        self._timer = threading.Timer(seconds, self._come)
        self._timer.daemon = True
        self._timer.start()

    def cancel(self) -> None:
        """It does not ring any more once this has returned, and not in the next invocation."""
        with self._lock:
            self._cancelled = True
        self._timer.cancel()

    def _come(self) -> None:
        with self._lock:
            if not self._cancelled:
                self._ring()


def reached() -> DeadlineReached:
    return DeadlineReached("The gateway's time for this answer is over.")
