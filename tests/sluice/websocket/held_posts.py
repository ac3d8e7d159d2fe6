"""A connection whose every post a test holds back."""

from __future__ import annotations

import queue
import threading

PATIENCE_S = 20.0  # how long a test waits before it has failed


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
