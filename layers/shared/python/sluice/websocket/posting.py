"""Posts one frame to a connection: again where that may help, and the last word of an answer."""

from __future__ import annotations

import time

from sluice.errors import ConnectionGone, DeliveryError, PostFailed, PostUnconfirmed
from sluice.named_tuple import NamedTuple
from sluice.upstream.retries import jitter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.deadline import Deadline

    Post = Callable[[bytes, float], None]
    """Posts a frame within the given seconds. Raises DeliveryError."""

FIRST_PAUSE_S = 0.1  # doubles; 429 means a full buffer at the client, which may drain in a moment
MAX_PAUSE_S = 2.0  # how much longer than necessary a client may have to wait
MAX_DOUBLINGS = 5  # reach MAX_PAUSE_S; 2**1024 would not fit a float
LAST_WORD_ATTEMPTS = 5
"""Maximum posts of a last word: enough for a passing fault, and soon over for a lasting one."""
LAST_WORD_TIMEOUT_S = 1.0
"""Timeout of such a post, in seconds: the client has waited for another one already."""


class BackOff(NamedTuple):
    """Pauses between attempts: doubling, with full jitter, so that functions do not collide."""

    sleep: Callable[[float], object] = time.sleep
    random: Callable[[], float] = jitter

    def seconds(self, attempt: int) -> float:
        doubled = 2 ** min(attempt, MAX_DOUBLINGS)
        return float(min(MAX_PAUSE_S, FIRST_PAUSE_S * doubled)) * self.random()


def post_with_retries(
    post: Post,
    frame: bytes,
    deadline: Deadline,
    back_off: BackOff,
    is_wanted: Callable[[], bool] = lambda: True,
) -> None:
    """Post until it succeeds or the deadline comes; after the deadline, try once.

    is_wanted: whether another attempt makes sense. Raises DeliveryError.
    """
    attempt = 0
    while True:
        try:
            return post(frame, deadline.seconds_to_last_word())
        except PostFailed as error:
            pause = back_off.seconds(attempt)
            if not is_wanted() or deadline.seconds_left_or_zero() <= pause:
                raise error from None
            back_off.sleep(pause)
            attempt += 1


def post_last_word(post: Post, frame: bytes, deadline: Deadline, back_off: BackOff) -> bool:
    """Post what ended an answer, after a post of it failed. Returns whether it was taken.

    If it may have arrived, it is posted once more: the same error twice is better than silence.
    """
    left = LAST_WORD_ATTEMPTS
    while True:
        try:
            post(frame, min(LAST_WORD_TIMEOUT_S, deadline.seconds_to_last_moment()))
        except ConnectionGone:
            return False
        except DeliveryError as error:
            left = min(left - 1, 1) if isinstance(error, PostUnconfirmed) else left - 1
        else:
            return True
        if not left:
            return False
        pause = back_off.seconds(LAST_WORD_ATTEMPTS - left)
        back_off.sleep(min(pause, deadline.seconds_to_last_moment()))
