"""Posts frames to one connection, from a thread of its own.

The reader of the model never waits for a post: what it adds while one is in flight goes out with
the next one. It waits only while MAX_WAITING waits already. That, one event of the model and the
frame in flight are all that an answer holds in memory, however slow its client is.
"""

from __future__ import annotations

import threading
from enum import Enum

from sluice.deadline import deadline_reached
from sluice.errors import DeadlineReached, DeliveryError, PostTooLarge
from sluice.websocket.posting import BackOff, post_with_retries

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Self

    from sluice.deadline import Deadline
    from sluice.errors import SluiceError
    from sluice.websocket.frames import FrameQueue

MAX_WAITING = 1024 * 1024
"""Maximum that may wait for a slow client, in characters and bytes with each piece's overhead. At
most 4 MB of memory, because a character takes up to four bytes."""


class State(Enum):
    """What a delivery may still do."""

    OPEN = "open"
    """More may be added."""
    DRAINING = "draining"
    """Nothing is added any more; what waits is sent."""
    GIVEN_UP = "given up"
    """Nothing more is sent: the client is gone, or time is up."""
    FAILED = "failed"
    """Nothing more is sent here: a post failed for good. The gateway may have a last word."""


class Step(Enum):
    """What happens to a delivery."""

    LEAVE = "leave"
    """The end of its `with` block."""
    GIVE_UP = "give up"
    FAIL = "fail"


_S = State
TRANSITIONS: Mapping[State, Mapping[Step, State]] = {
    _S.OPEN: {Step.LEAVE: _S.DRAINING, Step.GIVE_UP: _S.GIVEN_UP, Step.FAIL: _S.FAILED},
    _S.DRAINING: {Step.GIVE_UP: _S.GIVEN_UP, Step.FAIL: _S.FAILED},
    # A post that was in flight may still fail.
    _S.GIVEN_UP: {Step.LEAVE: _S.GIVEN_UP, Step.GIVE_UP: _S.GIVEN_UP, Step.FAIL: _S.FAILED},
    _S.FAILED: {Step.LEAVE: _S.FAILED, Step.GIVE_UP: _S.FAILED},
}


class InvalidStepError(Exception):
    """A bug: the table has no such step."""


def after(state: State, step: Step) -> State:
    """The state that `step` leads to. Raises InvalidStepError."""
    following = TRANSITIONS[state].get(step)
    if following is None:
        raise InvalidStepError(f"a delivery that is {state.value} cannot {step.value}")
    return following


class Delivery:
    """Sends an answer to a connection, in order.

    A context manager: leaving it waits until everything is sent, or a post fails, or time is up.
    queue: makes the frames. post: sends one within the given seconds; raises DeliveryError, of
    which PostFailed is retried until the deadline, and PostTooLarge with smaller frames.
    on_failure: called once, from the sending thread, to stop the producer. on_sent: called after
    each frame.
    """

    def __init__(
        self,
        queue: FrameQueue,
        post: Callable[[bytes, float], None],
        on_failure: Callable[[DeliveryError], None],
        deadline: Deadline,
        back_off: BackOff | None = None,
        on_sent: Callable[[], None] = lambda: None,
    ) -> None:
        self._queue = queue
        self._post = post
        self._on_failure = on_failure
        self._on_sent = on_sent
        self._deadline = deadline
        self._back_off = back_off or BackOff()
        self._changed = threading.Condition()
        self._state = State.OPEN
        self._interruption: SluiceError | None = None
        self._is_posting = False
        self._thread = threading.Thread(target=self._run, name="delivery", daemon=True)
        self.failure: DeliveryError | None = None
        self.frames_sent = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        with self._changed:
            self._take_step(Step.LEAVE)
        self._thread.join(self._deadline.seconds_to_last_moment())
        with self._changed:
            self._take_step(Step.GIVE_UP)  # no frame follows the post in flight, if any

    @property
    def is_stuck(self) -> bool:
        """Whether a post is still in flight after the block: its connection must not be reused."""
        return self._thread.is_alive()

    def send(self, piece: str) -> None:
        """Add a piece of the answer, which may share a frame with its neighbors.

        Waits while too much waits. Raises DeliveryError after a failure, DeadlineReached, and the
        reason given to `interrupt`.
        """
        with self._changed:
            self._wait_for(lambda: self._queue.waiting < MAX_WAITING)
            self._queue.add(piece)
            self._changed.notify_all()

    def send_message(self, message: str) -> None:
        """Add a message with a frame of its own: a whole answer or an error. Does not wait.

        Raises nothing: `wait_until_sent` tells whether it reached the client.
        """
        with self._changed:
            self._queue.add_message(message)
            self._changed.notify_all()

    def finish(self, *, is_cancelled: bool = False) -> None:
        """Mark the end of the answer. A cancelled answer drops what waits."""
        with self._changed:
            self._queue.finish(is_cancelled=is_cancelled)
            self._changed.notify_all()

    def interrupt(self, reason: SluiceError) -> None:
        """Raise `reason` for whoever waits to send more; from any thread.

        A DeliveryError means that the client is gone: then no post is retried either.
        """
        with self._changed:
            self._interruption = reason
            if isinstance(reason, DeliveryError):
                self._take_step(Step.GIVE_UP)
            self._changed.notify_all()

    def send_last_message(self, message: str) -> None:
        """Send this message instead of everything that waits: there is no time for that."""
        with self._changed:
            self._queue.clear()
            self._queue.add_message(message)
            self._changed.notify_all()

    def wait_until_sent(self) -> None:
        """Wait until nothing waits any more.

        Raises DeliveryError, and DeadlineReached if something still waits then. A post that is in
        flight then is waited for when the block is left.
        """
        with self._changed:
            try:
                self._wait_for(lambda: not (self._is_posting or self._queue.waiting))
            except DeadlineReached:
                if self._queue.waiting:
                    raise

    def drop_all_but_the_last_message(self) -> None:
        """Drop what waits, except the last message: there is no time for the rest."""
        with self._changed:
            self._queue.keep_last_message()

    def _take_step(self, step: Step) -> None:
        self._state = after(self._state, step)
        self._changed.notify_all()

    def _wait_for(self, is_so: Callable[[], bool]) -> None:
        if not (self._trouble or is_so()):
            time_left = self._deadline.seconds_left()
            if not self._changed.wait_for(lambda: self._trouble or is_so(), time_left):
                raise deadline_reached()
        if self._trouble is not None:
            raise self._trouble

    @property
    def _trouble(self) -> SluiceError | None:
        return self.failure or self._interruption

    def _run(self) -> None:
        try:
            while (frame := self._next_frame()) is not None:
                self._send(frame)
        except DeliveryError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001 -- the reader must learn of any failure
            failure = DeliveryError(f"A frame could not be posted: {type(error).__name__}.")
            failure.__cause__ = error
            self._fail(failure)

    def _fail(self, error: DeliveryError) -> None:
        with self._changed:
            self.failure = error
            self._take_step(Step.FAIL)
        self._on_failure(error)

    def _next_frame(self) -> bytes | None:
        """Wait for the next frame; None at the end."""
        with self._changed:
            self._is_posting = False
            while (frame := self._take_frame()) is None and self._state is State.OPEN:
                self._changed.notify_all()  # everything was sent
                self._changed.wait()
            self._is_posting = frame is not None
            self._changed.notify_all()  # there is room again
            return frame

    def _take_frame(self) -> bytes | None:
        can_send = self._state in (State.OPEN, State.DRAINING)
        return self._queue.take() if can_send else None

    def _send(self, frame: bytes) -> None:
        """Post a frame; if it is too large, put it back to be split."""
        try:
            post_with_retries(self._post, frame, self._deadline, self._back_off, self._is_wanted)
        except PostTooLarge:
            with self._changed:
                self._queue.take_back()
            return
        self.frames_sent += 1
        self._on_sent()

    def _is_wanted(self) -> bool:
        return self._state is not State.GIVEN_UP
