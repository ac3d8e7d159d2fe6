"""One TCP connection of a runtime: one request after the other.

A piece of an answer is passed on in the same step of the event loop that reads it: waking a task
for each piece would cost latency.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from local.invocation import AnswerReceiver
from local.limits import MAX_RUNTIME_API_HEAD_BYTES
from local.runtime_api.calls import Reply, RuntimeCall, error_reply
from local.runtime_api.http_requests import (
    BodyPiece,
    MalformedRequestError,
    RequestEvent,
    RequestHead,
    RequestReader,
)
from local.runtime_api.state import InvalidStateTransitionError


class RuntimeConnection(asyncio.Protocol):
    """One connection; `open_call` returns what handles a request."""

    def __init__(
        self,
        open_call: Callable[[RequestHead, RuntimeConnection], RuntimeCall],
        on_made: Callable[[RuntimeConnection], None],
        on_lost: Callable[[RuntimeConnection], None],
    ) -> None:
        self._open_call = open_call
        self._on_made = on_made
        self._on_lost = on_lost
        self._requests = RequestReader(MAX_RUNTIME_API_HEAD_BYTES)
        self._call: RuntimeCall | None = None
        self._draining: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport

    def abort(self) -> None:
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP is a stream
        self._transport = transport
        self._on_made(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._take(self._requests.receive(data))
        except MalformedRequestError:
            # A reply would not be read. `connection_lost` fails the answer that this cut off.
            self._transport.close()

    def connection_lost(self, _exc: Exception | None) -> None:
        if self._draining is not None:
            self._draining.cancel()
        call, self._call = self._call, None
        if call is not None:
            call.broken()
        self._on_lost(self)

    def _take(self, events: Sequence[RequestEvent]) -> None:
        for event in events:
            if isinstance(event, RequestHead):
                self._call = self._open_call(event, self)
                continue
            call = self._call
            assert call is not None  # noqa: S101 - a body follows its head
            if isinstance(event, BodyPiece):
                call.piece(event.data)
            else:
                self._call = None
                self._end(call, event.trailers)
        if self._call is not None and self._call.receiver is not None:
            self._hold_back(self._call.receiver)

    def _end(self, call: RuntimeCall, trailers: Mapping[str, str]) -> None:
        try:
            call.end(trailers, self._reply)
        except InvalidStateTransitionError as error:
            self._reply(error_reply(403, "InvalidStateTransition", str(error)))

    def _reply(self, reply: Reply | None) -> None:
        if reply is None:
            self._transport.close()
            return
        self._transport.write(self._requests.reply(reply.status, reply.headers, reply.body))
        if self._requests.closes:
            self._transport.close()
        elif self._requests.has_unread():
            asyncio.get_running_loop().call_soon(self.data_received, b"")

    def _hold_back(self, receiver: AnswerReceiver) -> None:
        """Stop reading while the receiver is full."""
        if receiver.is_full() and self._draining is None:
            self._transport.pause_reading()
            self._draining = asyncio.create_task(self._resume(receiver))

    async def _resume(self, receiver: AnswerReceiver) -> None:
        await receiver.drain()
        self._draining = None
        self._transport.resume_reading()
