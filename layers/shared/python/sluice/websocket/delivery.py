"""Frames to one connection, posted from a thread of their own.

The reader of the model never waits for a post: what it adds while one is in flight goes out
together with the next. Only when MAX_WAITING waits does it have to; that, one event of the model
and the frame in flight are all that an answer holds in memory, however slow its client is.
"""

from __future__ import annotations

import threading
import time

from sluice.deadline import reached
from sluice.errors import DeadlineReached, DeliveryError, PostFailed, PostTooLarge
from sluice.named_tuple import NamedTuple
from sluice.upstream.retries import jitter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from sluice.deadline import Deadline
    from sluice.errors import SluiceError
    from sluice.websocket.frames import FrameQueue

MAX_WAITING = 1024 * 1024
"""What may wait, in characters and bytes, each piece with its overhead: the bound for a client that
is slower than the model. 4 MB of memory at the most, for a character takes up to four bytes."""
FIRST_PAUSE_S = 0.1  # doubles; 429 means the client's buffer is full, which a moment may mend
MAX_PAUSE_S = 2.0  # what a client may have to wait longer than needed
MAX_DOUBLINGS = 5  # reach MAX_PAUSE_S; 2**1024 would be no float any more


class BackOff(NamedTuple):
    """Pauses between attempts: doubling, with full jitter, so that functions do not try as one."""

    sleep: Callable[[float], object] = time.sleep
    random: Callable[[], float] = jitter

    def seconds(self, attempt: int) -> float:
        doubled = 2 ** min(attempt, MAX_DOUBLINGS)
        return float(min(MAX_PAUSE_S, FIRST_PAUSE_S * doubled)) * self.random()


class Delivery:
    """Sends an answer to a connection, in order, from its own thread.

    queue: makes the frames. post: sends one within so many seconds; raises DeliveryError, of which
    PostFailed is worth another attempt, until the deadline, and PostTooLarge smaller frames.
    on_failure: called once, from the sending thread, when the connection cannot be written to any
    more: stop producing. on_sent: called after each frame. A context manager: leaving it waits
    until everything has been sent, or cannot be, or time is over.
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
        self._ended = False
        self._all_is_said = False
        self._is_given_up = False
        self._is_idle = True
        self._thread = threading.Thread(target=self._run, name="delivery", daemon=True)
        self._interruption: SluiceError | None = None
        self.failure: DeliveryError | None = None
        self.frames_sent = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._thread.join(self._deadline.seconds_to_last_moment())
        with self._changed:
            self._is_given_up = True  # whatever happens to the post under way, none follows it

    @property
    def is_stuck(self) -> bool:
        """Whether a post is still under way although time is over: use its connection no more."""
        return self._thread.is_alive()

    def send(self, piece: str) -> None:
        """A piece of the answer, which may share a frame with its neighbors.

        Waits while too much waits. Raises the DeliveryError once failed, DeadlineReached, and what
        `interrupt` was given.
        """
        with self._changed:
            self._wait_for_room()
            self._queue.add(piece)
            self._changed.notify_all()

    def send_message(self, message: str) -> None:
        """A message of its own: an answer's only one, or an error, so it waits for no room.

        Raises nothing: what keeps it from the client is heard of by waiting until all is sent.
        """
        with self._changed:
            self._queue.add_message(message)
            self._changed.notify_all()

    def finish(self, *, is_cancelled: bool = False) -> None:
        """The answer is over: its frames say so in their own way.

        is_cancelled: by the client; what still waits is dropped.
        """
        with self._changed:
            self._queue.finish(is_cancelled=is_cancelled)
            self._changed.notify_all()

    def interrupt(self, reason: SluiceError) -> None:
        """Whoever waits to send more hears of `reason`; from any thread.

        A DeliveryError says that nobody is there any more: then no post is tried again either.
        """
        with self._changed:
            self._interruption = reason
            self._is_given_up = self._is_given_up or isinstance(reason, DeliveryError)
            self._changed.notify_all()

    def send_last_message(self, message: str) -> None:
        """A message in place of whatever still waits, for there is no time for that."""
        with self._changed:
            self._queue.clear()
            self._queue.add_message(message)
            self._changed.notify_all()

    def wait_until_sent(self) -> None:
        """Wait until nothing waits any more; no text may follow, but a message may.

        Raises the DeliveryError, and DeadlineReached where something still waits then. What is
        under way by then is waited for at the end.
        """
        with self._changed:
            self._all_is_said = True
            self._changed.notify_all()
            try:
                self._wait_for(lambda: self._is_idle and not self._queue.waiting)
            except DeadlineReached:
                if self._queue.waiting:
                    raise

    def drop_all_but_the_last_message(self) -> None:
        """Of what waits, for there is no time for it; nothing where that is under way already."""
        with self._changed:
            self._queue.keep_last_message()

    def _wait_for_room(self) -> None:
        self._wait_for(lambda: self._queue.waiting < MAX_WAITING)

    def _wait_for(self, is_so: Callable[[], bool]) -> None:
        if not (self._trouble or is_so()):
            time_left = self._deadline.seconds_left()
            if not self._changed.wait_for(lambda: self._trouble or is_so(), time_left):
                raise reached()
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
        except Exception as error:  # noqa: BLE001 -- whatever it is, the reader must hear of it
            failure = DeliveryError("A frame could not be posted.")
            failure.__cause__ = error
            self._fail(failure)

    def _fail(self, error: DeliveryError) -> None:
        with self._changed:
            self.failure = error
            self._changed.notify_all()
        self._on_failure(error)

    def _next_frame(self) -> bytes | None:
        """The next frame, waited for; None at the end."""
        with self._changed:
            self._is_idle = True
            while (frame := self._take()) is None and not self._ended:
                self._changed.notify_all()  # all is sent
                self._changed.wait()
            self._is_idle = frame is None
            self._changed.notify_all()  # there is room again
            return frame

    def _take(self) -> bytes | None:
        if self._is_given_up:
            return None
        return self._queue.take(is_last=self._ended or self._all_is_said)

    def _send(self, frame: bytes) -> None:
        """Post a frame; where it is too large, put it back to be split."""
        try:
            self._post_until_taken(frame)
        except PostTooLarge:
            with self._changed:
                self._queue.take_back()
            return
        self.frames_sent += 1
        self._on_sent()

    def _post_until_taken(self, frame: bytes) -> None:
        """Post until it succeeds or the deadline comes; the last moment is for one attempt."""
        attempt = 0
        while True:
            try:
                return self._post(frame, self._deadline.seconds_to_last_moment())
            except PostFailed as error:
                pause = self._back_off.seconds(attempt)
                if self._is_given_up or not self._has_time_for(pause):
                    raise error from None
                self._back_off.sleep(pause)
                attempt += 1

    def _has_time_for(self, seconds: float) -> bool:
        try:
            return self._deadline.seconds_left() > seconds
        except DeadlineReached:
            return False
