"""A frame that is posted until it is taken, or for the last time."""

from __future__ import annotations

from functools import partial

import pytest

from sluice.deadline import LAST_MOMENT_S, LAST_WORD_S, MARGIN_S, Deadline
from sluice.errors import (
    ConnectionGone,
    DeliveryError,
    PostFailed,
    PostForbidden,
    PostUnconfirmed,
)
from sluice.websocket.posting import (
    LAST_WORD_ATTEMPTS,
    LAST_WORD_TIMEOUT_S,
    MAX_PAUSE_S,
    BackOff,
    post_last_word,
    post_with_retries,
)


class Scripted:
    """A connection whose posts fail as scripted, and a clock that only sleeping moves."""

    def __init__(self, seconds: float, *outcomes: DeliveryError) -> None:
        self._seconds = seconds
        self._outcomes = list(outcomes)
        self.timeouts: list[float] = []
        self.pauses: list[float] = []
        self.back_off = BackOff(self.pauses.append, lambda: 1.0)
        self.deadline = Deadline(lambda: round((seconds - sum(self.pauses)) * 1000))

    def __call__(self, _frame: bytes, timeout_s: float) -> None:
        self.timeouts.append(timeout_s)
        if self._outcomes:
            raise self._outcomes.pop(0)


def test_retries_go_on_until_the_deadline_with_growing_pauses() -> None:
    post = Scripted(10, *[PostFailed("429")] * 1000)
    with pytest.raises(PostFailed):
        post_with_retries(post, b"x", post.deadline, post.back_off)
    assert post.pauses[:3] == [0.1, 0.2, 0.4]
    assert max(post.pauses) == post.back_off.seconds(100_000) == MAX_PAUSE_S
    assert 10 - MARGIN_S - MAX_PAUSE_S < sum(post.pauses) < 10 - MARGIN_S
    assert post.timeouts[0] == pytest.approx(10 - LAST_MOMENT_S - LAST_WORD_S)


def test_frame_is_tried_once_when_its_time_is_up_and_if_nobody_wants_it() -> None:
    for seconds, is_wanted in ((MARGIN_S, True), (10, False)):
        post = Scripted(seconds, PostFailed("429"))
        with pytest.raises(PostFailed):
            post_with_retries(post, b"x", post.deadline, post.back_off, partial(bool, is_wanted))
        assert (len(post.timeouts), post.pauses) == (1, [])


@pytest.mark.parametrize(
    ("outcomes", "attempts", "is_sent"),
    [
        ([], 1, True),
        ([PostFailed("429"), PostForbidden("403")], 3, True),
        ([DeliveryError("400")] * LAST_WORD_ATTEMPTS, LAST_WORD_ATTEMPTS, False),
        ([PostUnconfirmed("silence")], 2, True),
        ([PostUnconfirmed("silence")] * 2, 2, False),
        ([PostForbidden("403"), PostUnconfirmed("silence"), PostForbidden("403")], 3, False),
        ([ConnectionGone("410")], 1, False),
    ],
)
def test_last_word_is_repeated_a_few_times_and_once_if_it_may_have_arrived(
    outcomes: list[DeliveryError], attempts: int, *, is_sent: bool
) -> None:
    post = Scripted(10, *outcomes)
    assert post_last_word(post, b"x", post.deadline, post.back_off) == is_sent
    assert len(post.timeouts) == attempts
    assert set(post.timeouts) == {LAST_WORD_TIMEOUT_S}


def test_last_word_does_not_outlast_the_function() -> None:
    post = Scripted(LAST_MOMENT_S + 0.05, *[PostFailed("429")] * 9)
    assert not post_last_word(post, b"x", post.deadline, post.back_off)
    assert sum(post.pauses) <= 0.05
