"""The moment by which an answer must be over."""

from __future__ import annotations

from sluice.errors import DeadlineReached
from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

MARGIN_S = 1.0
"""Kept of the function's time to say that it is over: a write and a round trip to the client."""
LAST_MOMENT_S = 0.1  # kept of the margin for the log line


class Deadline(NamedTuple):
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


def reached() -> DeadlineReached:
    return DeadlineReached("The gateway's time for this answer is over.")
