"""Lambda's Runtime API for one child: a listener on loopback that hands over events.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Protocol

from local.errors import FunctionFailure
from local.invocation import AnswerHead, Invocation
from local.limits import MAX_BUFFERED_RESPONSE_BYTES, MAX_STREAMED_RESPONSE_BYTES, READ_BYTES
from local.runtime_requests import (
    BodyEnd,
    BodyPiece,
    Call,
    ConnectionEnd,
    RequestEvent,
    RequestHead,
    RequestReader,
    TruncatedRequestError,
    posted_failure,
    trailer_failure,
)
from local.runtime_state import InvalidStateTransitionError, RuntimeState, State, Step

_MODE = "lambda-runtime-function-response-mode"
_INVOCATION_ID = "lambda-runtime-invocation-id"
_JSON = ("content-type", "application/json")
_OK = b'{"status":"OK"}\n'


class RuntimeListener(Protocol):
    """What an execution environment wants to know about its runtime."""

    def runtime_waits(self) -> None:
        """The runtime asked for its next event and none is there."""

    def runtime_init_failed(self, failure: FunctionFailure) -> None:
        """The runtime reported that it cannot start."""

    def event_headers(self, invocation: Invocation) -> list[tuple[str, str]]:
        """Return the headers of GET /next for `invocation`."""


class RuntimeApi:
    """The listener of one child. `start`, then `hand_over` whenever the runtime waits; `close`."""

    def __init__(self, listener: RuntimeListener) -> None:
        self._listener = listener
        self._state = RuntimeState()
        self._invocation: Invocation | None = None
        self._waiter: asyncio.Future[Invocation] | None = None
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> str:
        """Listen; return the value of AWS_LAMBDA_RUNTIME_API."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"{host}:{port}"

    def hand_over(self, invocation: Invocation) -> None:
        """Give the waiting runtime its event."""
        if self._waiter is None or self._waiter.done():
            raise RuntimeError("expected a runtime that waits for an event, found none")
        self._waiter.set_result(invocation)

    async def drained(self) -> None:
        """Wait until every connection of a dead child has been read to its end."""
        if self._waiter is not None:
            self._waiter.cancel()
        if self._connections:
            await asyncio.wait(self._connections)

    async def close(self) -> None:
        """Stop listening and break the connections that are left."""
        if self._server is not None:
            self._server.close()
        for connection in self._connections:
            connection.cancel()
        await self.drained()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine always runs in a task
        self._connections.add(task)
        try:
            await _RuntimeConnection(self, reader, writer).serve()
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(task)
            writer.close()

    async def next_event(self) -> tuple[list[tuple[str, str]], bytes]:
        """Wait for the next event; return its headers and its bytes."""
        self._state.take(Step.NEXT)
        if self._state.now is State.READY:
            self._invocation = None
            self._waiter = asyncio.get_running_loop().create_future()
            self._listener.runtime_waits()
            self._invocation = await self._waiter
            self._state.take(Step.EVENT_SENT)
        invocation = self._invocation
        assert invocation is not None  # noqa: S101 - RUNNING always has one
        return self._listener.event_headers(invocation), invocation.event

    def refusal(self, head: RequestHead) -> tuple[int, bytes] | None:
        """Return the reply to a /response or /error that names no running invocation."""
        current = self._invocation
        if current is None or head.request_id != current.identity.request_id:
            return 400, _error("InvalidRequestID", "Invalid request ID")
        echoed = head.headers.get(_INVOCATION_ID)
        if echoed is not None and echoed != current.identity.invocation_id:
            return 410, _error("InvokeTimeout", "Invoke timeout")
        if head.headers.get(_MODE, "streaming") != "streaming":
            return 400, _error("InvalidFunctionResponseMode", "Invalid function response mode")
        return None

    def begin_answer(self, step: Step) -> Invocation:
        """Take the step of an answer; return the invocation it is for."""
        self._state.take(step)
        assert self._invocation is not None  # noqa: S101 - RUNNING always has one
        return self._invocation

    def end_answer(self, invocation: Invocation, failure: FunctionFailure | None) -> None:
        """Tell the caller that its answer is complete; the runtime may ask for the next event."""
        self._state.take(Step.ANSWER_READ)
        invocation.settle(failure)

    def init_failed(self, failure: FunctionFailure) -> None:
        """Take a POST to /init/error."""
        self._state.take(Step.INIT_ERROR)
        self._listener.runtime_init_failed(failure)


class _RuntimeConnection:
    """One TCP connection of a runtime: requests in turn, each answered before the next."""

    def __init__(
        self, api: RuntimeApi, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._api = api
        self._reader = reader
        self._writer = writer
        self._requests = RequestReader()
        self._waiting: list[RequestEvent] = []
        self._body_ended = True

    async def serve(self) -> None:
        try:
            while isinstance(head := await self._event(), RequestHead):
                status, headers, body = await self._answer(head)
                self._writer.write(self._requests.reply(status, [*headers], body))
                await self._writer.drain()
                self._waiting = self._requests.next_request()
        except TruncatedRequestError:
            # Nobody is left to read a reply; what it broke was settled on the way.
            return

    async def _event(self) -> RequestEvent:
        while not self._waiting:
            self._waiting = self._requests.receive(await self._reader.read(READ_BYTES))
        event = self._waiting.pop(0)
        self._body_ended = isinstance(event, (BodyEnd, ConnectionEnd))
        return event

    async def _answer(self, head: RequestHead) -> tuple[int, list[tuple[str, str]], bytes]:
        try:
            if head.call is Call.NEXT:
                await self._body()
                headers, event = await self._api.next_event()
                return 200, headers, event
            status, body = await self._posted(head)
        except InvalidStateTransitionError as error:
            await self._drop_body()
            status, body = 403, _error("InvalidStateTransition", str(error))
        return status, [_JSON], body

    async def _posted(self, head: RequestHead) -> tuple[int, bytes]:
        if head.call is Call.INIT_ERROR:
            body = await self._body()
            self._api.init_failed(posted_failure(head.headers, body))
            return 202, _OK
        if head.call is Call.UNKNOWN:
            await self._drop_body()
            return 404, _error("NotFound", "no such route in the Runtime API")
        refused = self._api.refusal(head)
        if refused is not None:
            await self._drop_body()
            return refused
        if head.call is Call.ERROR:
            return await self._error(head)
        return await self._response(head)

    async def _error(self, head: RequestHead) -> tuple[int, bytes]:
        invocation = self._api.begin_answer(Step.ERROR)
        failure = _TRUNCATED
        try:
            failure = posted_failure(head.headers, await self._body())
        finally:
            self._api.end_answer(invocation, failure)
        return 202, _OK

    async def _response(self, head: RequestHead) -> tuple[int, bytes]:
        invocation = self._api.begin_answer(Step.RESPONSE)
        failure: FunctionFailure | None = _TRUNCATED
        try:
            if _MODE in head.headers:
                failure = await self._relay(head.headers, invocation)
            else:
                failure = await self._buffered(head.headers, invocation)
        finally:
            self._api.end_answer(invocation, failure)
        if failure is _TOO_LARGE:
            return 413, _error(failure.error_type, failure.error_message)
        return 202, _OK

    async def _relay(
        self, headers: Mapping[str, str], invocation: Invocation
    ) -> FunctionFailure | None:
        receiver = invocation.receiver
        await receiver.begin(
            AnswerHead(streaming=True, content_type=headers.get("content-type", ""))
        )
        room = MAX_STREAMED_RESPONSE_BYTES
        while True:
            event = await self._event()
            if isinstance(event, BodyPiece):
                room -= len(event.data)
                if room >= 0:
                    await receiver.piece(event.data)
            elif isinstance(event, BodyEnd):
                return trailer_failure(event.trailers) if room >= 0 else _STREAM_TOO_LARGE

    async def _buffered(
        self, headers: Mapping[str, str], invocation: Invocation
    ) -> FunctionFailure | None:
        body = await self._body()
        if len(body) > MAX_BUFFERED_RESPONSE_BYTES:
            return _TOO_LARGE
        await invocation.receiver.begin(
            AnswerHead(streaming=False, content_type=headers.get("content-type", ""))
        )
        await invocation.receiver.piece(body)
        return None

    async def _body(self) -> bytes:
        """Read the body; keep one byte more than is allowed, and drop the rest."""
        kept = bytearray()
        while not self._body_ended:
            event = await self._event()
            if isinstance(event, BodyPiece):
                kept += event.data[: MAX_BUFFERED_RESPONSE_BYTES + 1 - len(kept)]
        return bytes(kept)

    async def _drop_body(self) -> None:
        while not self._body_ended:
            await self._event()


_TRUNCATED = FunctionFailure(
    "Runtime.TruncatedResponse", "the runtime's answer ended before its last chunk"
)
_STREAM_TOO_LARGE = FunctionFailure(
    "Function.ResponseSizeTooLarge",
    f"Exceeded maximum allowed streamed payload size ({MAX_STREAMED_RESPONSE_BYTES} bytes).",
)
_TOO_LARGE = FunctionFailure(
    "RequestEntityTooLarge",
    f"Exceeded maximum allowed payload size ({MAX_BUFFERED_RESPONSE_BYTES} bytes).",
)


def _error(error_type: str, message: str) -> bytes:
    return json.dumps({"errorMessage": message, "errorType": error_type}).encode()
