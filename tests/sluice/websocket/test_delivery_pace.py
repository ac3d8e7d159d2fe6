"""Clients slower than the model: how far behind it they are, and what that takes of memory."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import pytest

from sluice.deadline import MARGIN_S, Deadline
from sluice.errors import DeadlineReached, DeliveryError
from sluice.websocket.delivery import MAX_WAITING, Delivery
from sluice.websocket.frames import PIECE_OVERHEAD, ChatFrames, TextFrames
from tests.sluice.deadlines import FOREVER
from tests.sluice.websocket.held_posts import HeldPosts

if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.websocket.frames import FrameQueue


def no_failure(error: DeliveryError) -> None:
    raise AssertionError(error)


@pytest.mark.parametrize(
    ("frames", "posts_behind_the_end"),
    [(ChatFrames("7"), 1), (TextFrames(), 1), (TextFrames("<END>"), 2)],
    ids=["chat", "plain", "template"],
)
def test_model_four_times_as_fast_as_the_posts_is_followed(
    frames: FrameQueue, posts_behind_the_end: int
) -> None:
    deltas, deltas_a_post = 200, 4
    posts = HeldPosts()
    with Delivery(frames, posts, no_failure, FOREVER) as delivery:
        for number in range(deltas):
            delivery.send(str(number))
            if number % deltas_a_post == 0:  # the post that began that long ago is over
                if number:
                    posts.let_through()
                posts.wait_for_post()
        begun_at_the_end = posts.begun
        delivery.finish()
        posts.let_through(10)
    assert begun_at_the_end == deltas // deltas_a_post
    assert posts.begun == begun_at_the_end + posts_behind_the_end
    assert frames.joined == deltas - begun_at_the_end - 1


@pytest.mark.parametrize(
    "piece_of",
    [lambda n: chr(0x4E00 + n), lambda n: chr(0x1F600 + n % 50) * 1000, lambda n: f"{n:0100}"],
    ids=["tiny", "wide", "medium"],
)
def test_reader_is_stopped_before_an_answer_fills_the_memory(
    piece_of: Callable[[int], str],
) -> None:
    posts, sent = HeldPosts(), list[int]()

    def read() -> None:
        for number in range(MAX_WAITING):
            delivery.send(piece_of(number))
            sent.append(number)

    no_wait = Deadline(lambda: int(MARGIN_S * 1000) + 20)
    with Delivery(TextFrames(), posts, no_failure, no_wait) as delivery:
        delivery.send("in flight")
        posts.wait_for_post()
        tracemalloc.start()
        with pytest.raises(DeadlineReached):
            read()
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        delivery.send_last_message("over")
        posts.let_through(2)
    size = sum(len(piece_of(number)) + PIECE_OVERHEAD for number in sent)
    assert MAX_WAITING <= size < MAX_WAITING + 2000
    assert held < 4 * MAX_WAITING + 100_000
