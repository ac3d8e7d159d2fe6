"""The sender's thread against posts that a test holds back."""

from __future__ import annotations

import queue
import threading

import pytest

from sluice.delivery import MAX_ATTEMPTS, MAX_WAITING_BYTES, BackOff, Delivery
from sluice.errors import ConnectionGone, DeliveryError, PostFailed

PATIENCE_S = 20.0


class HeldPosts:
    """A connection whose every post waits until the test lets it through."""

    def __init__(self) -> None:
        self._started: queue.Queue[bytes] = queue.Queue()
        self._permits = threading.Semaphore(0)
        self.posted: list[bytes] = []

    def __call__(self, frame: bytes) -> None:
        self._started.put(frame)
        assert self._permits.acquire(timeout=PATIENCE_S)
        self.posted.append(frame)

    def wait_for_post(self) -> bytes:
        return self._started.get(timeout=PATIENCE_S)

    def let_through(self, posts: int = 1) -> None:
        self._permits.release(posts)


class Script:
    """A connection whose posts fail as told."""

    def __init__(self, *outcomes: Exception | None) -> None:
        self._outcomes = list(outcomes)
        self.posted: list[bytes] = []
        self.attempts = 0

    def __call__(self, frame: bytes) -> None:
        self.attempts += 1
        outcome = self._outcomes.pop(0) if self._outcomes else None
        if outcome is not None:
            raise outcome
        self.posted.append(frame)


def no_failure(error: DeliveryError) -> None:
    raise AssertionError(error)


def test_first_delta_is_not_held_back() -> None:
    posts = HeldPosts()
    with Delivery(posts, no_failure) as delivery:
        delivery.send_text("first")
        assert posts.wait_for_post() == b"first"
        posts.let_through()


def test_deltas_that_arrive_while_a_post_is_in_flight_share_the_next_frame() -> None:
    posts = HeldPosts()
    with Delivery(posts, no_failure) as delivery:
        delivery.send_text("a")
        posts.wait_for_post()
        for text in "bcd":
            delivery.send_text(text)
        delivery.send_message("<END>")
        posts.let_through(3)
    assert posts.posted == [b"a", b"bcd", b"<END>"]
    assert delivery.frames_sent == 3


def test_slow_client_does_not_slow_the_reader_until_the_bound() -> None:
    posts = HeldPosts()
    reader_done = threading.Event()

    def read(delivery: Delivery) -> None:
        for _ in range(MAX_WAITING_BYTES // 1024 + 10):
            delivery.send_text("x" * 1024)
        reader_done.set()

    with Delivery(posts, no_failure) as delivery:
        delivery.send_text("first")
        posts.wait_for_post()
        for _ in range(MAX_WAITING_BYTES // 1024):
            delivery.send_text("x" * 1024)  # none of these waits
        reader = threading.Thread(target=read, args=[delivery])
        reader.start()
        assert not reader_done.is_set()
        posts.let_through(1000)
        assert reader_done.wait(PATIENCE_S)
        reader.join(PATIENCE_S)


def test_gone_connection_stops_the_producer_and_raises_for_the_reader() -> None:
    gone = ConnectionGone("gone")
    stopped = threading.Event()
    delivery = Delivery(Script(None, gone), lambda _: stopped.set())
    with delivery:
        delivery.send_message("one")
        delivery.send_message("two")
        assert stopped.wait(PATIENCE_S)
        with pytest.raises(ConnectionGone):
            delivery.send_text("three")
    assert delivery.failure is gone
    assert delivery.frames_sent == 1


def test_throttled_post_is_tried_again_in_order_with_growing_pauses() -> None:
    pauses: list[float] = []
    posts = Script(PostFailed("429"), PostFailed("500"), None)
    back_off = BackOff(sleep=pauses.append, random=lambda: 1.0)
    with Delivery(posts, no_failure, back_off) as delivery:
        delivery.send_message("one")
        delivery.send_message("two")
    assert posts.posted == [b"one", b"two"]
    assert pauses == [0.1, 0.2]


def test_post_that_never_succeeds_is_given_up() -> None:
    failures: list[DeliveryError] = []
    posts = Script(*[PostFailed("500")] * 100)
    back_off = BackOff(sleep=lambda _: None)
    with Delivery(posts, failures.append, back_off) as delivery:
        delivery.send_message("one")
    assert posts.attempts == MAX_ATTEMPTS
    assert [type(error) for error in failures] == [PostFailed]
    assert delivery.failure is failures[0]


def test_nothing_to_send_ends_at_once() -> None:
    with Delivery(Script(), no_failure) as delivery:
        pass
    assert delivery.frames_sent == 0
