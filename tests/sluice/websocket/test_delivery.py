"""The sender's thread, against posts that a test holds back, and its table of states."""

from __future__ import annotations

import queue
import threading
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from sluice.deadline import LAST_MOMENT_S, LAST_WORD_S, MARGIN_S, Deadline
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
    MAX_WAITING,
    TRANSITIONS,
    Delivery,
    InvalidStepError,
    State,
    Step,
    after,
)
from sluice.websocket.frames import MIN_FRAME_BYTES, PIECE_OVERHEAD, ChatFrames, TextFrames
from sluice.websocket.posting import MAX_PAUSE_S, BackOff
from tests.scripted_upstream import PATIENCE_S
from tests.sluice.clocks import FOREVER

if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.websocket.frames import FrameQueue

SOON = Deadline(lambda: int(MARGIN_S * 1000) + 50)


class FakeClock:
    """Time that passes only by sleeping."""

    def __init__(self, seconds: float) -> None:
        self._left = seconds
        self.slept: list[float] = []
        self.deadline = Deadline(lambda: int((self._left - sum(self.slept)) * 1000))

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


class HeldPosts:
    """A connection whose every post waits until the test lets it through."""

    def __init__(self) -> None:
        self._started: queue.Queue[bytes] = queue.Queue()
        self._permits = threading.Semaphore(0)
        self.begun = 0
        self.posted: list[bytes] = []

    def __call__(self, frame: bytes, _timeout_s: float) -> None:
        self.begun += 1
        self._started.put(frame)
        assert self._permits.acquire(timeout=PATIENCE_S)
        self.posted.append(frame)

    def wait_for_post(self) -> bytes:
        return self._started.get(timeout=PATIENCE_S)

    def let_through(self, posts: int = 1) -> None:
        self._permits.release(posts)


class Script:
    """A connection whose posts fail as scripted."""

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


def no_failure(error: DeliveryError) -> None:
    raise AssertionError(error)


def delivery_to(
    posts: Callable[[bytes, float], None],
    frames: FrameQueue | None = None,
    deadline: Deadline = FOREVER,
    back_off: BackOff | None = None,
    on_failure: Callable[[DeliveryError], None] = no_failure,
) -> Delivery:
    return Delivery(frames or TextFrames(), posts, on_failure, deadline, back_off)


def test_nothing_leads_back_to_sending() -> None:
    ends = {State.GIVEN_UP, State.FAILED}
    assert all(set(TRANSITIONS[state].values()) <= ends for state in (*ends, State.DRAINING))
    with pytest.raises(InvalidStepError, match="draining cannot leave"):
        after(State.DRAINING, Step.LEAVE)


def test_deltas_that_arrive_while_a_post_is_in_flight_share_the_next_frame() -> None:
    posts = HeldPosts()
    with delivery_to(posts) as delivery:
        delivery.send("a")
        assert posts.wait_for_post() == b"a"  # the first delta is not held back
        for text in "bcd":
            delivery.send(text)
        delivery.send_message("<END>")
        posts.let_through(3)
    assert posts.posted == [b"a", b"bcd", b"<END>"]
    assert delivery.frames_sent == 3


@pytest.mark.parametrize(
    ("frames", "posts_after_the_end"),
    [(ChatFrames("7"), 1), (TextFrames(), 1), (TextFrames("<END>"), 2)],
    ids=["chat", "plain", "template"],
)
def test_model_four_times_as_fast_as_the_posts_is_followed(
    frames: FrameQueue, posts_after_the_end: int
) -> None:
    deltas, deltas_per_post = 200, 4
    posts = HeldPosts()
    with delivery_to(posts, frames) as delivery:
        for number in range(deltas):
            delivery.send(str(number))
            if number % deltas_per_post == 0:  # the post that began that long ago ends
                if number:
                    posts.let_through()
                posts.wait_for_post()
        begun_at_the_end = posts.begun
        delivery.finish()
        posts.let_through(10)
    assert begun_at_the_end == deltas // deltas_per_post
    assert posts.begun == begun_at_the_end + posts_after_the_end
    assert frames.joined == deltas - begun_at_the_end - 1


def test_reader_that_waits_for_room_goes_on_when_there_is_some() -> None:
    posts = HeldPosts()
    with delivery_to(posts) as delivery:
        delivery.send("in flight")
        posts.wait_for_post()
        delivery.send("x" * MAX_WAITING)  # does not wait
        reader = threading.Thread(target=delivery.send, args=["last"])
        reader.start()
        posts.let_through(100)
        reader.join(PATIENCE_S)
        delivery.wait_until_sent()
    assert posts.posted[-1].endswith(b"last")


@pytest.mark.parametrize(
    "piece_of",
    [lambda n: chr(0x4E00 + n), lambda n: chr(0x1F600 + n % 50) * 1000],
    ids=["tiny", "wide"],
)
def test_reader_is_stopped_before_an_answer_fills_the_memory(
    piece_of: Callable[[int], str],
) -> None:
    posts, sent = HeldPosts(), list[int]()

    def read() -> None:
        for number in range(MAX_WAITING):
            delivery.send(piece_of(number))
            sent.append(number)

    with delivery_to(posts, deadline=SOON) as delivery:
        delivery.send("in flight")
        posts.wait_for_post()
        tracemalloc.start()
        with pytest.raises(DeadlineReached):
            read()
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        delivery.send_last_message("over")
        posts.let_through(2)
    assert posts.posted == [b"in flight", b"over"]
    size = sum(len(piece_of(number)) + PIECE_OVERHEAD for number in sent)
    assert MAX_WAITING <= size < MAX_WAITING + 2000
    assert held < 4 * MAX_WAITING + 100_000


def test_connection_that_is_gone_stops_the_producer_and_the_reader() -> None:
    gone, stopped = ConnectionGone("gone"), threading.Event()
    posts = Script(None, gone)
    with delivery_to(posts, on_failure=lambda _: stopped.set()) as delivery:
        delivery.send_message("one")
        delivery.send_message("two")
        assert stopped.wait(PATIENCE_S)
        with pytest.raises(ConnectionGone):
            delivery.send("three")
    assert delivery.failure is gone
    assert delivery.frames_sent == 1


def test_throttled_post_is_retried_in_order_with_growing_pauses() -> None:
    pauses: list[float] = []
    posts = Script(PostFailed("429"), PostFailed("500"), None)
    sent: list[int] = []
    back_off = BackOff(sleep=pauses.append, random=lambda: 1.0)
    with Delivery(
        TextFrames(), posts, no_failure, FOREVER, back_off, lambda: sent.append(len(posts.posted))
    ) as delivery:
        delivery.send_message("one")
        delivery.send_message("two")
    assert posts.posted == [b"one", b"two"]
    assert pauses == [0.1, 0.2]
    assert sent == [1, 2]  # frames, not attempts


def test_post_is_retried_until_the_deadline() -> None:
    clock, failures = FakeClock(seconds=10), list[DeliveryError]()
    posts = Script(*[PostFailed("429")] * 1000)
    back_off = BackOff(sleep=clock.sleep, random=lambda: 1.0)
    with delivery_to(posts, None, clock.deadline, back_off, failures.append) as delivery:
        delivery.send_message("one")
    assert sum(clock.slept) > 10 - MARGIN_S - MAX_PAUSE_S
    assert max(clock.slept) == back_off.seconds(100_000) == MAX_PAUSE_S
    assert posts.attempts == len(clock.slept) + 1
    assert [type(error) for error in failures] == [PostFailed]
    assert delivery.failure is failures[0]


def test_last_attempt_is_made_when_only_the_last_moment_is_left() -> None:
    clock, failures = FakeClock(seconds=MARGIN_S), list[DeliveryError]()
    posts = Script(PostFailed("429"))
    with delivery_to(posts, None, clock.deadline, None, failures.append) as delivery:
        delivery.send_message("one")
    assert ([delivery.failure], clock.slept) == (failures, [])


def test_timeout_of_a_post_is_the_time_left() -> None:
    times: list[float] = []
    deadline = FakeClock(3).deadline
    with delivery_to(lambda _, seconds: times.append(seconds), None, deadline) as delivery:
        delivery.send_message("one")
    assert times == [pytest.approx(3 - LAST_MOMENT_S - LAST_WORD_S)]


def test_unexpected_error_of_a_post_reaches_the_reader() -> None:
    error, failures = KeyError("AWS_ACCESS_KEY_ID"), list[DeliveryError]()
    with delivery_to(Script(error), on_failure=failures.append) as delivery:
        delivery.send("one")
        with pytest.raises(DeliveryError):
            delivery.wait_until_sent()
    assert failures == [delivery.failure]
    assert failures[0].__cause__ is error


@pytest.mark.parametrize("some_wait", [False, True])
def test_deadline_ends_the_wait_with_an_error_only_if_something_waits(*, some_wait: bool) -> None:
    posts = HeldPosts()
    with delivery_to(posts, deadline=SOON) as delivery:
        delivery.send("a")
        posts.wait_for_post()
        if some_wait:
            delivery.send("b")
            with pytest.raises(DeadlineReached):
                delivery.wait_until_sent()
        else:
            delivery.wait_until_sent()
        posts.let_through(2)
    assert b"".join(posts.posted) == (b"ab" if some_wait else b"a")


def test_no_post_follows_one_that_does_not_return() -> None:
    posts = HeldPosts()
    with delivery_to(posts, deadline=Deadline(lambda: 150)) as delivery:
        delivery.send_message("stuck")
        posts.wait_for_post()
        delivery.send_last_message("must not follow in another invocation")
    assert delivery.is_stuck
    posts.let_through(2)
    delivery._thread.join(PATIENCE_S)  # noqa: SLF001 -- to see what it still does
    assert posts.posted == [b"stuck"]


@pytest.mark.parametrize(
    ("waiting", "posted"),
    [([], [b"in flight"]), (["text", "x" * MAX_WAITING], [b"in flight", b"error"])],
)
def test_last_message_needs_no_room_and_is_not_sent_twice(
    waiting: list[str], posted: list[bytes]
) -> None:
    posts = HeldPosts()
    with delivery_to(posts) as delivery:
        delivery.send_message("in flight")
        posts.wait_for_post()
        for text in waiting:
            delivery.send(text)
        if waiting:
            delivery.send_message("error")
        delivery.drop_all_but_the_last_message()
        posts.let_through(2)
    assert posts.posted == posted


def test_frame_that_is_too_large_is_halved_until_it_fits() -> None:
    posts = LimitedPosts(3000)
    text = "".join(map(str, range(3000)))
    with delivery_to(posts, TextFrames("<END>")) as delivery:
        delivery.send(text)
        delivery.finish()
    assert b"".join(posts.posted).decode() == text + "<END>"
    size = len(text)
    assert posts.sizes[:3] == [size, size // 2, size // 4]
    assert delivery.frames_sent == len(posts.posted)


def test_connection_that_takes_no_frame_at_all_is_a_failure() -> None:
    failures: list[DeliveryError] = []
    posts = LimitedPosts(0)
    with delivery_to(posts, on_failure=failures.append) as delivery:
        delivery.send("x" * 100_000)
        with pytest.raises(PostTooLarge):
            delivery.wait_until_sent()
    assert failures == [delivery.failure]
    assert min(posts.sizes) >= MIN_FRAME_BYTES


def test_interruption_wakes_a_reader_that_waits_for_room() -> None:
    posts, heard = HeldPosts(), queue.Queue[SluiceError]()

    def read() -> None:
        try:
            delivery.send("no room")
        except SluiceError as error:
            heard.put(error)

    with delivery_to(posts) as delivery:
        delivery.send("in flight")
        posts.wait_for_post()
        delivery.send("x" * MAX_WAITING)
        reader = threading.Thread(target=read)
        reader.start()
        delivery.interrupt(Cancelled("enough"))
        assert isinstance(heard.get(timeout=PATIENCE_S), Cancelled)
        delivery.finish(is_cancelled=True)
        posts.let_through(100)
        reader.join(PATIENCE_S)
    assert posts.posted == [b"in flight"]
