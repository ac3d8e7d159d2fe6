"""@connections on a real socket that takes, refuses or drops posts as told, and keeps the rest."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING

from tests.scripted_upstream import PATIENCE_S, UpstreamRequest, replies, scripted_upstream

if TYPE_CHECKING:
    from collections.abc import Iterator


class Reply(Enum):
    """What becomes of one post."""

    TAKEN = 200
    THROTTLED = 429
    FAILED = 500
    DROPPED = 0
    """The connection is closed instead of a reply."""
    LATE = 1
    """Taken, but not before the model is at its next point."""


class ScriptedConnections:
    """Posts become what the plan says, one after the other, and are taken when it has ended.

    max_bytes: larger frames get 413. `frames` is what was taken; `progress` lets late ones pass.
    """

    def __init__(self, plan: list[Reply], max_bytes: int) -> None:
        self._plan = iter(plan)
        self._max_bytes = max_bytes
        self.progress = threading.Semaphore(0)
        self.frames: list[bytes] = []
        self.largest = 0
        """The bytes of the largest frame, whether it was taken or not."""

    def __call__(self, request: UpstreamRequest, connection: socket.socket) -> None:
        self.largest = max(self.largest, len(request.body))
        if len(request.body) > self._max_bytes:
            replies(413, {})(request, connection)
            return
        reply = next(self._plan, Reply.TAKEN)
        if reply is Reply.DROPPED:
            connection.shutdown(socket.SHUT_RDWR)
            return
        if reply is Reply.LATE:
            assert self.progress.acquire(timeout=PATIENCE_S)
        if reply in (Reply.TAKEN, Reply.LATE):
            self.frames.append(request.body)
            replies(200, {})(request, connection)
        else:
            replies(reply.value, {})(request, connection)


@contextmanager
def scripted_connections(connections: ScriptedConnections) -> Iterator[str]:
    """The endpoint that serves them."""
    with scripted_upstream() as server:
        server.script = connections
        yield server.url.replace("/v1", "/dev")
