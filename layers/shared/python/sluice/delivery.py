"""Frames to one connection, posted from a thread of their own.

The reader of the model never waits for a post: what it adds while one is in flight goes out
together with the next. Only when MAX_WAITING waits does it have to.
"""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from sluice.deadline import reached
from sluice.errors import DeadlineReached, DeliveryError, PostFailed
from sluice.frames import FrameQueue

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from sluice.deadline import Deadline

MAX_WAITING = 1024 * 1024
"""Characters and bytes that wait: the bound for a client that is slower than the model. Eight full
frames of ASCII; 4 MB of memory at the most, for a character takes up to four bytes."""
FIRST_PAUSE_S = 0.1  # doubles; 429 means the client's buffer is full, which a moment may mend
MAX_PAUSE_S = 2.0  # what a client may have to wait longer than needed


@dataclass(frozen=True, slots=True)
class BackOff:
    """Pauses between attempts: doubling, with full jitter, so that functions do not try as one."""

    sleep: Callable[[float], object] = time.sleep
    random: Callable[[], float] = random.random

    def seconds(self, attempt: int) -> float:
        return float(min(MAX_PAUSE_S, FIRST_PAUSE_S * 2**attempt)) * self.random()


class Delivery:
    """Sends text and messages to a connection, in order, from its own thread.

    post: sends one frame within so many seconds; raises DeliveryError, of which PostFailed is
    worth another attempt, until the deadline. on_failure: called once, from the sending thread,
    when the connection cannot be written to any more: stop producing. A context manager: leaving
    it waits until everything has been sent, or cannot be, or time is over.
    """

    def __init__(
        self,
        post: Callable[[bytes, float], None],
        on_failure: Callable[[DeliveryError], None],
        deadline: Deadline,
        back_off: BackOff | None = None,
    ) -> None:
        self._post = post
        self._on_failure = on_failure
        self._deadline = deadline
        self._back_off = back_off or BackOff()
        self._changed = threading.Condition()
        self._queue = FrameQueue()
        self._ended = False
        self._all_is_said = False
        self._is_given_up = False
        self._is_idle = True
        self._thread = threading.Thread(target=self._run, name="delivery", daemon=True)
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

    def send_text(self, text: str) -> None:
        """Text that may share a frame with its neighbours.

        Waits while too much waits. Raises the DeliveryError once failed, and DeadlineReached.
        """
        with self._changed:
            self._wait_for_room()
            self._queue.add_text(text)
            self._changed.notify_all()

    def send_message(self, message: str) -> None:
        """A message of its own. As send_text."""
        with self._changed:
            self._wait_for_room()
            self._queue.add_message(message)
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
            self._queue.keep_last()

    def _wait_for_room(self) -> None:
        self._wait_for(lambda: self._queue.waiting < MAX_WAITING)

    def _wait_for(self, is_so: Callable[[], bool]) -> None:
        if not (self.failure or is_so()):
            time_left = self._deadline.seconds_left()
            if not self._changed.wait_for(lambda: self.failure or is_so(), time_left):
                raise reached()
        if self.failure is not None:
            raise self.failure

    def _run(self) -> None:
        try:
            while (frame := self._next_frame()) is not None:
                self._send(frame)
                self.frames_sent += 1
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
        """Post until it succeeds or the deadline comes; the last moment is for one attempt."""
        attempt = 0
        while True:
            try:
                return self._post(frame, self._deadline.seconds_to_last_moment())
            except PostFailed as error:
                pause = self._back_off.seconds(attempt)
                if not self._has_time_for(pause):
                    raise error from None
                self._back_off.sleep(pause)
                attempt += 1

    def _has_time_for(self, seconds: float) -> bool:
        try:
            return self._deadline.seconds_left() > seconds
        except DeadlineReached:
            return False
