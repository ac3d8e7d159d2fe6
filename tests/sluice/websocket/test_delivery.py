"""The sender's thread against posts that a test holds back."""

from __future__ import annotations

import json
import queue
import threading

import pytest

from sluice.deadline import MARGIN_S, Deadline
from sluice.errors import (
    Cancelled,
    ConnectionGone,
    DeadlineReached,
    DeliveryError,
    PostFailed,
    PostTooLarge,
    SluiceError,
)
from sluice.websocket.delivery import (
    MAX_PAUSE_S,
    MAX_WAITING,
    TRANSITIONS,
    BackOff,
    Delivery,
    InvalidStepError,
    State,
    Step,
    after,
)
from sluice.websocket.frames import MIN_FRAME_BYTES, PIECE_OVERHEAD, ChatFrames, TextFrames
from tests.sluice.websocket.held_posts import PATIENCE_S, HeldPosts

FOREVER = Deadline(lambda: 900_000)


class FakeClock:
    """Time that passes by sleeping."""

    def __init__(self, seconds: float) -> None:
        self._left = seconds
        self.slept: list[float] = []
        self.deadline = Deadline(lambda: int((self._left - sum(self.slept)) * 1000))

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


class Script:
    """A connection whose posts fail as told."""

    def __init__(self, *outcomes: Exception | None) -> None:
        self._outcomes = list(outcomes)
        self.posted: list[bytes] = []
        self.attempts = 0

    def __call__(self, frame: bytes, _timeout_s: float) -> None:
        self.attempts += 1
        outcome = self._outcomes.pop(0) if self._outcomes else None
        if outcome is not None:
            raise outcome
        self.posted.append(frame)


def no_failure(error: DeliveryError) -> None:
    raise AssertionError(error)


def test_first_delta_is_not_held_back() -> None:
    posts = HeldPosts()
    with Delivery(TextFrames(), posts, no_failure, FOREVER) as delivery:
        delivery.send("first")
        assert posts.wait_for_post() == b"first"
        posts.let_through()


def test_deltas_that_arrive_while_a_post_is_in_flight_share_the_next_frame() -> None:
    posts = HeldPosts()
    with Delivery(TextFrames(), posts, no_failure, FOREVER) as delivery:
        delivery.send("a")
        posts.wait_for_post()
        for text in "bcd":
            delivery.send(text)
        delivery.send_message("<END>")
        posts.let_through(3)
    assert posts.posted == [b"a", b"bcd", b"<END>"]
    assert delivery.frames_sent == 3


def test_slow_client_does_not_slow_the_reader_until_the_bound() -> None:
    posts = HeldPosts()
    reader_done = threading.Event()

    def read(delivery: Delivery) -> None:
        for _ in range(MAX_WAITING // 1024 + 10):
            delivery.send("x" * 1024)
        reader_done.set()

    with Delivery(TextFrames(), posts, no_failure, FOREVER) as delivery:
        delivery.send("first")
        posts.wait_for_post()
        for _ in range(MAX_WAITING // (1024 + PIECE_OVERHEAD)):
            delivery.send("x" * 1024)  # none of these waits
        reader = threading.Thread(target=read, args=[delivery])
        reader.start()
        assert not reader_done.is_set()
        posts.let_through(1000)
        assert reader_done.wait(PATIENCE_S)
        reader.join(PATIENCE_S)


def test_gone_connection_stops_the_producer_and_raises_for_the_reader() -> None:
    gone = ConnectionGone("gone")
    stopped = threading.Event()
    delivery = Delivery(TextFrames(), Script(None, gone), lambda _: stopped.set(), FOREVER)
    with delivery:
        delivery.send_message("one")
        delivery.send_message("two")
        assert stopped.wait(PATIENCE_S)
        with pytest.raises(ConnectionGone):
            delivery.send("three")
    assert delivery.failure is gone
    assert delivery.frames_sent == 1


def test_throttled_post_is_tried_again_in_order_with_growing_pauses() -> None:
    pauses: list[float] = []
    posts = Script(PostFailed("429"), PostFailed("500"), None)
    back_off = BackOff(sleep=pauses.append, random=lambda: 1.0)
    with Delivery(TextFrames(), posts, no_failure, FOREVER, back_off) as delivery:
        delivery.send_message("one")
        delivery.send_message("two")
    assert posts.posted == [b"one", b"two"]
    assert pauses == [0.1, 0.2]


def test_post_is_tried_again_until_the_deadline() -> None:
    clock = FakeClock(seconds=10)
    failures: list[DeliveryError] = []
    posts = Script(*[PostFailed("429")] * 1000)
    back_off = BackOff(sleep=clock.sleep, random=lambda: 1.0)
    with Delivery(TextFrames(), posts, failures.append, clock.deadline, back_off) as delivery:
        delivery.send_message("one")
    assert sum(clock.slept) > 10 - MARGIN_S - MAX_PAUSE_S
    assert max(clock.slept) == MAX_PAUSE_S
    assert posts.attempts == len(clock.slept) + 1
    assert [type(error) for error in failures] == [PostFailed]
    assert delivery.failure is failures[0]


def test_time_for_a_post_is_what_is_left() -> None:
    times: list[float] = []
    with Delivery(
        TextFrames(), lambda _, seconds: times.append(seconds), no_failure, FakeClock(3).deadline
    ) as it:
        it.send_message("one")
    assert times == [pytest.approx(2.9)]


@pytest.mark.parametrize("error", [KeyError("AWS_ACCESS_KEY_ID"), UnicodeError("idna"), OSError()])
def test_unforeseen_error_of_a_post_reaches_the_reader(error: Exception) -> None:
    failures: list[DeliveryError] = []
    with Delivery(TextFrames(), Script(error), failures.append, FOREVER) as delivery:
        delivery.send("one")
        with pytest.raises(DeliveryError):
            delivery.wait_until_sent()
    assert failures == [delivery.failure]
    assert failures[0].__cause__ is error


def test_reader_waits_for_room_no_longer_than_the_deadline() -> None:
    posts = HeldPosts()
    with Delivery(
        TextFrames(), posts, no_failure, Deadline(lambda: int(MARGIN_S * 1000) + 50)
    ) as delivery:
        delivery.send("first")
        posts.wait_for_post()
        delivery.send("x" * MAX_WAITING)
        with pytest.raises(DeadlineReached):
            delivery.send("no room")
        delivery.send_last_message("over")
        posts.let_through(2)
    assert posts.posted == [b"first", b"over"]


def test_wait_until_sent_waits_for_the_post_in_flight() -> None:
    posts = HeldPosts()
    with Delivery(TextFrames(), posts, no_failure, FOREVER) as delivery:
        delivery.send("a")
        posts.wait_for_post()
        delivery.send("b")
        posts.let_through(2)
        delivery.wait_until_sent()
        assert posts.posted == [b"a", b"b"]


def test_wait_until_sent_ends_with_the_deadline() -> None:
    posts = HeldPosts()
    with Delivery(
        TextFrames(), posts, no_failure, Deadline(lambda: int(MARGIN_S * 1000) + 50)
    ) as delivery:
        delivery.send("a")
        posts.wait_for_post()
        delivery.send("b")
        with pytest.raises(DeadlineReached):
            delivery.wait_until_sent()
        posts.let_through(2)


def test_post_that_does_not_return_is_the_last_one() -> None:
    posts = HeldPosts()
    deadline = Deadline(lambda: 150)
    with Delivery(TextFrames(), posts, no_failure, deadline) as delivery:
        delivery.send_message("stuck")
        posts.wait_for_post()
        delivery.send_last_message("must not follow in another invocation")
    assert delivery.is_stuck
    posts.let_through(2)
    delivery._thread.join(PATIENCE_S)  # noqa: SLF001 -- to see what it still does
    assert posts.posted == [b"stuck"]


def test_last_frame_under_way_at_the_deadline_is_no_reason_for_an_error() -> None:
    posts = HeldPosts()
    with Delivery(
        TextFrames(), posts, no_failure, Deadline(lambda: int(MARGIN_S * 1000) + 50)
    ) as delivery:
        delivery.send_message("<END>")
        posts.wait_for_post()
        delivery.wait_until_sent()
        posts.let_through()
    assert posts.posted == [b"<END>"]


def test_message_under_way_is_not_sent_twice() -> None:
    posts = HeldPosts()
    with Delivery(TextFrames(), posts, no_failure, FOREVER) as delivery:
        delivery.send_message("error")
        posts.wait_for_post()
        delivery.drop_all_but_the_last_message()
        posts.let_through()
    assert posts.posted == [b"error"]


def test_all_but_the_last_message_can_be_dropped() -> None:
    posts = HeldPosts()
    with Delivery(TextFrames(), posts, no_failure, FOREVER) as delivery:
        delivery.send("under way")
        posts.wait_for_post()
        delivery.send("no time for this")
        delivery.send_message("error")
        delivery.drop_all_but_the_last_message()
        posts.let_through(2)
    assert posts.posted == [b"under way", b"error"]


def test_nothing_to_send_ends_at_once() -> None:
    with Delivery(TextFrames(), Script(), no_failure, FOREVER) as delivery:
        pass
    assert delivery.frames_sent == 0


class LimitedPosts:
    """A connection that takes no frame above a size."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self.sizes: list[int] = []
        self.posted: list[bytes] = []

    def __call__(self, frame: bytes, _timeout_s: float) -> None:
        self.sizes.append(len(frame))
        if len(frame) > self._max_bytes:
            raise PostTooLarge("413")
        self.posted.append(frame)


def test_frame_that_is_too_large_is_halved_until_it_fits() -> None:
    posts = LimitedPosts(3000)
    text = "".join(map(str, range(3000)))
    with Delivery(TextFrames("<END>"), posts, no_failure, FOREVER) as delivery:
        delivery.send(text)
        delivery.finish()
    assert b"".join(posts.posted).decode() == text + "<END>"
    size = len(text)
    assert posts.sizes[:3] == [size, size // 2, size // 4]
    assert delivery.frames_sent == len(posts.posted)


def test_message_that_is_too_large_is_halved_too() -> None:
    posts = LimitedPosts(3000)
    with Delivery(TextFrames(), posts, no_failure, FOREVER) as delivery:
        delivery.send_message("é" * 4000)
    assert b"".join(posts.posted).decode() == "é" * 4000
    assert all(frame.decode() for frame in posts.posted)


def test_connection_that_takes_no_frame_at_all_is_given_up() -> None:
    failures: list[DeliveryError] = []
    posts = LimitedPosts(0)
    with Delivery(TextFrames(), posts, failures.append, FOREVER) as delivery:
        delivery.send("x" * 100_000)
        with pytest.raises(PostTooLarge):
            delivery.wait_until_sent()
    assert failures == [delivery.failure]
    assert min(posts.sizes) >= MIN_FRAME_BYTES


def test_each_frame_that_was_taken_is_told_and_no_attempt() -> None:
    told: list[int] = []
    posts = Script(PostFailed("429"), None, None)
    back_off = BackOff(sleep=lambda _: None)
    with Delivery(
        TextFrames(), posts, no_failure, FOREVER, back_off, lambda: told.append(len(posts.posted))
    ) as delivery:
        delivery.send_message("one")
        delivery.send_message("two")
    assert told == [1, 2]


def test_interruption_wakes_a_reader_that_waits_for_room() -> None:
    posts, heard, full = HeldPosts(), queue.Queue[SluiceError](), threading.Event()

    def read() -> None:
        delivery.send("x" * MAX_WAITING)
        full.set()
        try:
            delivery.send("no room")
        except SluiceError as error:
            heard.put(error)

    with Delivery(TextFrames(), posts, no_failure, FOREVER) as delivery:
        delivery.send("in flight")
        posts.wait_for_post()
        reader = threading.Thread(target=read)
        reader.start()
        assert full.wait(PATIENCE_S)
        delivery.interrupt(Cancelled("enough"))
        assert isinstance(heard.get(timeout=PATIENCE_S), Cancelled)
        delivery.finish(is_cancelled=True)
        posts.let_through(100)
        reader.join(PATIENCE_S)
    assert posts.posted == [b"in flight"]


def test_message_waits_for_no_room() -> None:
    posts = HeldPosts()
    with Delivery(TextFrames(), posts, no_failure, FOREVER) as delivery:
        delivery.send("in flight")
        posts.wait_for_post()
        delivery.send("x" * MAX_WAITING)
        delivery.send_message("error")
        delivery.drop_all_but_the_last_message()
        posts.let_through(2)
    assert posts.posted == [b"in flight", b"error"]


def test_end_of_a_chat_goes_out_with_what_waits() -> None:
    posts = HeldPosts()
    with Delivery(ChatFrames("7"), posts, no_failure, FOREVER) as delivery:
        delivery.send("1")
        posts.wait_for_post()
        delivery.send("2")
        delivery.finish()
        posts.let_through(2)
        delivery.wait_until_sent()
    assert [json.loads(frame) for frame in posts.posted] == [
        {"id": "7", "seq": 0, "events": [1]},
        {"id": "7", "seq": 1, "events": [2], "done": True},
    ]


def test_pause_is_bounded_after_any_number_of_attempts() -> None:
    assert BackOff(random=lambda: 1.0).seconds(100_000) == MAX_PAUSE_S


@pytest.mark.parametrize("state", State)
def test_step_leads_where_the_table_says_or_is_a_bug(state: State) -> None:
    for step in Step:
        if step in TRANSITIONS[state]:
            assert after(state, step) is TRANSITIONS[state][step]
        else:
            with pytest.raises(InvalidStepError, match=f"{state.value} cannot {step.value}"):
                after(state, step)


def test_nothing_leads_back_to_sending() -> None:
    ends = {State.GIVEN_UP, State.FAILED}
    assert all(set(TRANSITIONS[state].values()) <= ends for state in (*ends, State.DRAINING))
