"""Lambda's Runtime API for one function process: a listener on loopback that hands out events.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from functools import partial
from typing import Protocol

from local.errors import FunctionFailure
from local.invocation import Invocation
from local.runtime_api.calls import (
    BufferedCall,
    ErrorCall,
    InitErrorCall,
    Replier,
    Reply,
    RuntimeCall,
    StreamedCall,
    error_reply,
)
from local.runtime_api.connection import RuntimeConnection
from local.runtime_api.http_requests import RequestHead
from local.runtime_api.routes import Route, route_of
from local.runtime_api.state import InvalidStateTransitionError, RuntimeState, State, Step

_MODE = "lambda-runtime-function-response-mode"
_INVOCATION_ID = "lambda-runtime-invocation-id"
_OF_A_PAGE = frozenset({"origin", "sec-fetch-site"})
"""Header fields that only browsers send: any page may send requests to loopback."""


class RuntimeListener(Protocol):
    """Learns what a runtime does; an execution environment."""

    def runtime_waits(self) -> None:
        """The runtime requested its next event and waits for it."""

    def runtime_init_failed(self, failure: FunctionFailure) -> None:
        """The runtime reported that it cannot start."""

    def event_headers(self, invocation: Invocation) -> list[tuple[str, str]]:
        """Return the headers of GET /next for `invocation`."""


class RuntimeApi:
    """The API of one process: `start`, `hand_over` whenever the runtime waits, `close`.

    Any program of this machine can connect. So events go to the first connection that requests
    one, and to others only if they know the id of the event that ran, or if those are closed.
    """

    def __init__(self, listener: RuntimeListener) -> None:
        self._listener = listener
        self._state = RuntimeState()
        self._invocation: Invocation | None = None
        self._waiter: Replier | None = None
        self._waiting: RuntimeConnection | None = None
        self._known: set[RuntimeConnection] = set()
        self._address = ""
        self._server: asyncio.Server | None = None
        self._connections: set[RuntimeConnection] = set()
        self._all_lost = asyncio.Event()
        self._all_lost.set()

    async def start(self) -> str:
        """Start to listen; return the value of AWS_LAMBDA_RUNTIME_API. Raises OSError."""
        # By our own socket: asyncio ignores that it cannot open one.
        listening = socket.create_server(("127.0.0.1", 0))
        self._server = await asyncio.get_running_loop().create_server(
            lambda: RuntimeConnection(self._open_call, self._made, self._lost), sock=listening
        )
        host, port = listening.getsockname()[:2]
        self._address = f"{host}:{port}"
        return self._address

    def hand_over(self, invocation: Invocation) -> None:
        """Give the waiting runtime its event; one that has disconnected gets it when it is back."""
        if self._state.now is not State.READY:
            raise RuntimeError("the runtime does not wait for an event")
        self._invocation = invocation
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            self._send_event(invocation, waiter)

    async def drained(self) -> None:
        """Wait until every connection of a dead process has been read to its end."""
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter(None)
        await self._all_lost.wait()

    async def close(self) -> None:
        """Stop listening and abort the open connections."""
        if self._server is not None:
            self._server.close()
        for connection in self._connections:
            connection.abort()
        await self.drained()

    def _made(self, connection: RuntimeConnection) -> None:
        self._connections.add(connection)
        self._all_lost.clear()

    def _lost(self, connection: RuntimeConnection) -> None:
        self._connections.discard(connection)
        self._known.discard(connection)
        if connection is self._waiting:
            self._waiting = self._waiter = None
        if not self._connections:
            self._all_lost.set()

    def _open_call(self, head: RequestHead, connection: RuntimeConnection) -> RuntimeCall:
        if head.headers.get("host", self._address) != self._address or _OF_A_PAGE & {*head.headers}:
            return _rejected(error_reply(403, "Forbidden", "Not a request of the runtime."))
        route, request_id = route_of(head)
        if route is Route.NEXT:
            return RuntimeCall(partial(self._next_event, connection))
        if route is Route.INIT_ERROR:
            return InitErrorCall(head.headers, self._init_failed)
        rejection = self._rejection(route, request_id, head.headers)
        if rejection is not None:
            return _rejected(rejection)
        self._known.add(connection)
        invocation = self._invocation
        assert invocation is not None  # noqa: S101 - RUNNING always has one
        settle = partial(self._end_answer, invocation)
        if route is Route.ERROR:
            return ErrorCall(head.headers, settle)
        call = StreamedCall if _MODE in head.headers else BufferedCall
        return call(head.headers, settle, invocation.receiver)

    def _next_event(self, connection: RuntimeConnection, reply: Replier) -> None:
        if self._waiter is not None or (self._known and connection not in self._known):
            message = "Another connection of the runtime requests the events."
            reply(error_reply(403, "InvalidStateTransition", message))
            return
        is_back = self._state.now is State.READY
        self._state.take(Step.NEXT)
        self._known.add(connection)
        if self._state.now is State.RUNNING and self._invocation is not None:
            reply(self._event_reply(self._invocation))
        elif is_back and self._invocation is not None:
            self._send_event(self._invocation, reply)
        else:
            self._invocation = None
            self._waiter, self._waiting = reply, connection
            self._listener.runtime_waits()

    def _send_event(self, invocation: Invocation, reply: Replier) -> None:
        self._state.take(Step.EVENT_SENT)
        reply(self._event_reply(invocation))

    def _event_reply(self, invocation: Invocation) -> Reply:
        return Reply(200, invocation.event, self._listener.event_headers(invocation))

    def _rejection(self, route: Route, request_id: str, headers: Mapping[str, str]) -> Reply | None:
        """Return the error reply to an invalid /response or /error; begin a valid one."""
        current = self._invocation
        if route is Route.UNKNOWN:
            return error_reply(404, "NotFound", "Unknown route of the Runtime API.")
        if current is None or request_id != current.identity.request_id:
            return error_reply(400, "InvalidRequestID", "Invalid request ID")
        if (
            headers.get(_INVOCATION_ID, current.identity.invocation_id)
            != current.identity.invocation_id
        ):
            return error_reply(410, "InvokeTimeout", "Invoke timeout")
        if headers.get(_MODE, "streaming") != "streaming":
            return error_reply(400, "InvalidFunctionResponseMode", "Invalid function response mode")
        try:
            self._state.take(Step.ERROR if route is Route.ERROR else Step.RESPONSE)
        except InvalidStateTransitionError as error:
            return error_reply(403, "InvalidStateTransition", str(error))
        return None

    def _end_answer(self, invocation: Invocation, failure: FunctionFailure | None) -> None:
        """Complete the answer; the runtime may now request the next event."""
        self._state.take(Step.ANSWER_READ)
        invocation.settle(failure)

    def _init_failed(self, failure: FunctionFailure) -> None:
        self._state.take(Step.INIT_ERROR)
        self._listener.runtime_init_failed(failure)


def _rejected(rejection: Reply) -> RuntimeCall:
    return RuntimeCall(lambda reply: reply(rejection))
