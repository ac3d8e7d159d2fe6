"""A function's answer on its way to an HTTP client: prelude, then every piece as it comes.

What failure means in each phase: before the first byte the client gets 502; after it the
connection is cut without the final chunk, so that the answer is visibly truncated; a client that
is gone does not interrupt the function, whose further bytes are dropped.

A piece is written in the very step of the event loop that brings it. aiohttp, whose `write` is a
coroutine, has the requests and the connection, and not the bytes of this response.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from local.errors import FunctionFailure, PreludeError
from local.function_url.buffered_answer import infer_answer
from local.function_url.response import Asked, ResponseFraming
from local.http.prelude import CONTENT_TYPE, DEFAULT_CONTENT_TYPE, HttpHead, PreludeParser
from local.invocation import AnswerHead
from local.limits import MAX_UNSENT_ANSWER_BYTES


class WrittenResponse(web.StreamResponse):
    """Tells aiohttp that a response has been written, and whether its connection is kept."""

    def __init__(self, *, keep_alive: bool) -> None:
        super().__init__()
        self._stays = keep_alive

    @property
    def keep_alive(self) -> bool:
        """Return whether the connection can carry another request."""
        return self._stays

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Write nothing."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Write nothing."""


class UrlAnswer:
    """Receives one answer and writes it to one client; `finish` once the outcome is known."""

    def __init__(
        self,
        request: web.BaseRequest,
        tracing: tuple[tuple[str, str], ...],
        now: Callable[[], float],
    ) -> None:
        self._request = request
        self._transport = request.transport
        self._tracing = tracing
        self._now = now
        self._framing: ResponseFraming | None = None
        self._prelude: PreludeParser | None = None
        self._buffered: bytearray | None = None
        self._head = HttpHead()
        self._malformed = False
        self._finished = False

    def begin(self, head: AnswerHead) -> None:
        """Choose how the pieces are to be read."""
        content_type = head.content_type or DEFAULT_CONTENT_TYPE
        self._head = HttpHead(200, (("content-type", content_type),))
        if not head.streaming:
            self._buffered = bytearray()
        elif content_type.partition(";")[0].strip().lower() == CONTENT_TYPE:
            self._prelude = PreludeParser()

    def piece(self, data: bytes) -> None:
        """Write the piece, unless the client or the answer is beyond it."""
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
        """Return whether the client has not taken much of what was written."""
        return self._transport is not None and (
            self._transport.get_write_buffer_size() > MAX_UNSENT_ANSWER_BYTES
        )

    async def drain(self) -> None:
        """Wait until the client has taken most of it, or is gone."""
        try:
            await self._request.writer.drain()
        except ConnectionError:
            return

    def finish(self, failure: FunctionFailure | None) -> web.StreamResponse:
        """End the response as the outcome asks for, and return it."""
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
        """Return the answer of which nothing has been sent yet."""
        if failure is not None or self._malformed:
            return _BAD_GATEWAY
        if self._buffered is not None:
            return _inferred(bytes(self._buffered))
        if self._prelude is None:
            return self._head, b""
        # Measured on AWS: nothing at all is an empty 200, a body without its prelude a 502.
        if self._prelude.is_empty():
            return HttpHead(200, (("content-type", DEFAULT_CONTENT_TYPE),)), b""
        return _BAD_GATEWAY

    def _start(self, head: HttpHead, data: bytes) -> ResponseFraming:
        request = self._request
        version = (request.version.major, request.version.minor)
        asked = Asked(request.method, version, request.keep_alive)
        self._framing = framing = ResponseFraming(asked, head, self._tracing)
        # One write, so that the client is woken once.
        self._write(framing.start(self._now()) + (framing.piece(data) if data else b""))
        return framing

    def _write(self, data: bytes) -> None:
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _cut(self) -> None:
        # close, not abort: bytes that were answered before the failure still reach the client.
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
