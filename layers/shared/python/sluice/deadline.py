"""The moment by which an answer must be over, and the alarm that rings then."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sluice.errors import DeadlineReached

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

MARGIN_S = 1.0
"""Kept of the function's time to say that it is over: a write and a round trip to the client."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """`remaining_ms` is the function's context.get_remaining_time_in_millis."""

    remaining_ms: Callable[[], int]

    def seconds_left(self) -> float:
        """Seconds for the answer. Raises DeadlineReached when there are none."""
        seconds = self.remaining_ms() / 1000 - MARGIN_S
        if seconds <= 0:
            raise self.reached()
        return seconds

    @staticmethod
    def reached() -> DeadlineReached:
        return DeadlineReached("The gateway's time for this answer is over.")


class Alarm:
    """Calls `ring` from another thread when the deadline comes, unless the block ends before."""

    def __init__(self, deadline: Deadline, ring: Callable[[DeadlineReached], None]) -> None:
        self._timer = threading.Timer(deadline.seconds_left(), ring, [deadline.reached()])
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
