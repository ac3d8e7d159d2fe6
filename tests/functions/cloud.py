"""SSM, DynamoDB, @connections and a provider, played by one scripted server for a function."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.functions.first_byte import KEY, environ_of
from tests.scripted_upstream import (
    PATIENCE_S,
    ScriptedUpstream,
    UpstreamRequest,
    replies,
    scripted_upstream,
)

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from tests.scripted_upstream import Script


class Cloud:
    """model: answers requests to the provider. posts: those to @connections.

    looked: set when a function looks at the table.
    """

    def __init__(
        self, server: ScriptedUpstream, model: Script, posts: Script, looked: threading.Event
    ) -> None:
        self._model, self._posts, self._looked = model, posts, looked
        self._server = server
        self.may_read = threading.Event()
        """Parameters are held back until it is set."""
        self.seen_at: dict[str, float] = {}
        """When the first request of a kind came, in Unix time."""
        server.script = self._answer

    def environ(self) -> dict[str, str]:
        """The variables of a function that is deployed in it."""
        return environ_of(self._server.url.removesuffix("/v1"))

    def _answer(self, request: UpstreamRequest, connection: socket.socket) -> None:
        operation = request.headers.get("x-amz-target", "").rpartition(".")[2]
        if operation == "BatchGetItem":
            self._looked.set()
        if operation:
            kind, script = operation, self._aws(request, operation)
        elif "@connections" in request.target:
            kind, script = "post", self._posts
        else:
            kind, script = "model", self._model
        self.seen_at.setdefault(kind, time.time())
        if operation == "GetParameters":
            assert self.may_read.wait(PATIENCE_S)
        script(request, connection)

    @staticmethod
    def _aws(request: UpstreamRequest, operation: str) -> Script:
        if operation == "GetParameters":
            found = [{"Name": name, "Value": KEY} for name in request.document["Names"]]
            return replies(200, {"Parameters": found})
        return replies(200, {"Responses": {}} if operation == "BatchGetItem" else {})


@contextmanager
def cloud(model: Script, posts: Script, looked: threading.Event | None = None) -> Iterator[Cloud]:
    with scripted_upstream() as server:
        yield Cloud(server, model, posts, looked or threading.Event())
