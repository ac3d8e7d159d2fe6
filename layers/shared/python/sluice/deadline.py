"""The moment by which an answer must end."""

from __future__ import annotations

from sluice.errors import DeadlineReached
from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

MARGIN_S = 1.0
"""Part of the function's time kept to report a timeout: a write and a round trip to the client."""
LAST_MOMENT_S = 0.1  # part of the margin kept for the log line
LAST_WORD_S = 0.4
"""Part of the margin kept for a frame over a new connection, if none got through before. A TLS
handshake and a post take some 50 ms."""


class Deadline(NamedTuple):
    """`remaining_ms` is the function's context.get_remaining_time_in_millis."""

    remaining_ms: Callable[[], int]

    def seconds_left(self) -> float:
        """Seconds left for the answer. Raises DeadlineReached if there are none."""
        seconds = self.seconds_left_or_zero()
        if not seconds:
            raise deadline_reached()
        return seconds

    def seconds_left_or_zero(self) -> float:
        return max(0.0, self.remaining_ms() / 1000 - MARGIN_S)

    def seconds_to_last_moment(self) -> float:
        """Seconds left to send anything at all, even if only the error that time is up."""
        return max(0.0, self.remaining_ms() / 1000 - LAST_MOMENT_S)

    def seconds_to_last_word(self) -> float:
        """Seconds left to send frames as usual: the last word needs what follows."""
        return max(0.0, self.remaining_ms() / 1000 - LAST_MOMENT_S - LAST_WORD_S)


def deadline_reached() -> DeadlineReached:
    return DeadlineReached("The gateway timed out before the answer was complete.")
