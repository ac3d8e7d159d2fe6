"""Frames to one connection, posted from a thread of their own.

The reader of the model never waits for a post: what it adds while one is in flight goes out
together with the next. Only when MAX_WAITING_BYTES wait does it have to.
"""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from sluice.errors import DeliveryError, PostFailed
from sluice.frames import FrameQueue

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

MAX_WAITING_BYTES = 1024 * 1024
"""Eight full frames: the bound on memory for a client that is slower than the model."""
MAX_ATTEMPTS = 6  # with the pauses below 1.5 s on average, 3.1 s at the most
FIRST_PAUSE_S = 0.1  # doubles; 429 means the client's buffer is full, which a moment mends


@dataclass(frozen=True, slots=True)
class BackOff:
    """Pauses between attempts: doubling, with full jitter, so that functions do not try as one."""

    sleep: Callable[[float], object]
    random: Callable[[], float] = random.random

    def pause(self, attempt: int) -> None:
        self.sleep(FIRST_PAUSE_S * 2**attempt * self.random())


class Delivery:
    """Sends text and messages to a connection, in order, from its own thread.

    post: sends one frame; raises DeliveryError. on_failure: called once, from the sending thread,
    when the connection cannot be written to any more: stop producing. A context manager: leaving it
    waits until everything has been sent, or cannot be.
    """

    def __init__(
        self,
        post: Callable[[bytes], None],
        on_failure: Callable[[DeliveryError], None],
        back_off: BackOff | None = None,
    ) -> None:
        self._post = post
        self._on_failure = on_failure
        self._stopping = threading.Event()
        self._back_off = back_off or BackOff(sleep=self._stopping.wait)
        self._changed = threading.Condition()
        self._queue = FrameQueue()
        self._ended = False
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
        self._thread.join()

    def send_text(self, text: str) -> None:
        """Text that may share a frame with its neighbours. Raises the DeliveryError once failed."""
        self._add(text, joinable=True)

    def send_message(self, message: str) -> None:
        """A message of its own. Raises the DeliveryError once failed."""
        self._add(message, joinable=False)

    def _add(self, text: str, *, joinable: bool) -> None:
        with self._changed:
            self._changed.wait_for(
                lambda: self.failure is not None or self._queue.waiting_bytes < MAX_WAITING_BYTES
            )
            if self.failure is not None:
                raise self.failure
            add = self._queue.add_text if joinable else self._queue.add_message
            add(text)
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            while (frame := self._next_frame()) is not None:
                self._send(frame)
                self.frames_sent += 1
        except DeliveryError as error:
            with self._changed:
                self.failure = error
                self._changed.notify_all()
            self._on_failure(error)

    def _next_frame(self) -> bytes | None:
        """The next frame, waited for; None at the end."""
        with self._changed:
            while (frame := self._queue.take()) is None and not self._ended:
                self._changed.wait()
            self._changed.notify_all()  # there is room again
            return frame

    def _send(self, frame: bytes) -> None:
        for attempt in range(MAX_ATTEMPTS - 1):
            try:
                return self._post(frame)
            except PostFailed:
                self._back_off.pause(attempt)
        return self._post(frame)
