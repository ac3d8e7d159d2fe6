"""Relays a function's answer to an HTTP client: the prelude, then each piece as it arrives.

A failure before the first byte is a 502. A failure after it closes the connection without the
final chunk, so that the client sees a truncated answer. A client's disconnect does not interrupt
the function; its further bytes are dropped.

A piece is written in the same step of the event loop that brings it. aiohttp reads the requests and
owns the connection, but does not write this response: its `write` is a coroutine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from local.errors import FunctionFailure, PreludeError
from local.function_url.buffered_answer import infer_answer
from local.function_url.response import RequestFacts, ResponseFraming
from local.http.prelude import CONTENT_TYPE, DEFAULT_CONTENT_TYPE, HttpHead, PreludeParser
from local.invocation import AnswerHead
from local.limits import MAX_UNSENT_ANSWER_BYTES


class WrittenResponse(web.StreamResponse):
    """Reports to aiohttp that a response has been written, and whether the connection is kept."""

    def __init__(self, *, keep_alive: bool) -> None:
        super().__init__()
        self._stays = keep_alive

    @property
    def keep_alive(self) -> bool:
        return self._stays

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Write nothing."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Write nothing."""


class UrlAnswer:
    """Receives one answer and writes it to one client; call `finish` with the outcome.

    `added` are header fields for the client; `status` is the answer's once it has begun.
    """

    def __init__(
        self,
        request: web.BaseRequest,
        added: tuple[tuple[str, str], ...],
        now: Callable[[], float],
    ) -> None:
        self._request = request
        self._transport = request.transport
        self._added = added
        self._now = now
        self._framing: ResponseFraming | None = None
        self._prelude: PreludeParser | None = None
        self._buffered: bytearray | None = None
        self._head = HttpHead()
        self._malformed = False
        self._finished = False
        self.status = 0

    def begin(self, head: AnswerHead) -> None:
        """Choose how to read the pieces."""
        content_type = head.content_type or DEFAULT_CONTENT_TYPE
        self._head = HttpHead(200, (("content-type", content_type),))
        if not head.streaming:
            self._buffered = bytearray()
        elif content_type.partition(";")[0].strip().lower() == CONTENT_TYPE:
            self._prelude = PreludeParser()

    def piece(self, data: bytes) -> None:
        """Write the piece, unless the answer is malformed or finished."""
        if self._malformed or self._finished:
            return
        if self._framing is not None:
            self._write(self._framing.piece(data))
        elif self._buffered is not None:
            self._buffered += data
        elif self._prelude is not None:
            self._read_prelude(self._prelude, data)
        else:
            self._start(self._head, data)

    def is_full(self) -> bool:
        """Return whether the client has too many bytes to read."""
        return self._transport is not None and (
            self._transport.get_write_buffer_size() > MAX_UNSENT_ANSWER_BYTES
        )

    async def drain(self) -> None:
        """Wait until the client has read most of them, or has disconnected."""
        try:
            await self._request.writer.drain()
        except ConnectionError:
            return

    def finish(self, failure: FunctionFailure | None) -> web.StreamResponse:
        """End the response by the outcome, and return it."""
        if self._framing is not None and (failure is not None or self._framing.missing):
            self._cut()
        framing = self._framing or self._start(*self._whole(failure))
        self._finished = True
        self._write(framing.end())
        return WrittenResponse(keep_alive=framing.keep_alive)

    def _read_prelude(self, prelude: PreludeParser, data: bytes) -> None:
        try:
            found = prelude.feed(data)
        except PreludeError:
            self._malformed = True
            return
        if found is not None:
            self._start(*found)

    def _whole(self, failure: FunctionFailure | None) -> tuple[HttpHead, bytes]:
        """Return the whole answer, of which nothing has been sent yet."""
        if failure is not None or self._malformed:
            return _BAD_GATEWAY
        if self._buffered is not None:
            return _inferred(bytes(self._buffered))
        if self._prelude is None:
            return self._head, b""
        # Measured on AWS: no bytes are an empty 200, a body without a prelude is a 502.
        if self._prelude.is_empty():
            return HttpHead(200, (("content-type", DEFAULT_CONTENT_TYPE),)), b""
        return _BAD_GATEWAY

    def _start(self, head: HttpHead, data: bytes) -> ResponseFraming:
        request = self._request
        self.status = head.status
        version = (request.version.major, request.version.minor)
        facts = RequestFacts(request.method, version, request.keep_alive)
        self._framing = framing = ResponseFraming(facts, head, self._added)
        # One write wakes the client once.
        self._write(framing.start(self._now()) + (framing.piece(data) if data else b""))
        return framing

    def _write(self, data: bytes) -> None:
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _cut(self) -> None:
        # close, not abort: the bytes before the failure must reach the client.
        if self._transport is not None:
            self._transport.close()


def _inferred(payload: bytes) -> tuple[HttpHead, bytes]:
    try:
        return _sized(*infer_answer(payload))
    except PreludeError:
        return _BAD_GATEWAY


def _sized(head: HttpHead, body: bytes) -> tuple[HttpHead, bytes]:
    if not body and head.header("content-length") is None:
        return head, body
    kept = tuple(field for field in head.headers if field[0].lower() != "content-length")
    return replace(head, headers=(*kept, ("content-length", str(len(body))))), body


_BAD_GATEWAY = _sized(HttpHead(502, (("content-type", "text/plain"),)), b"Internal Server Error")
