"""A function's answer on its way to an HTTP client: prelude, then every piece as it comes.

What failure means in each phase: before the first byte the client gets 502; after it the
connection is cut without the final chunk, so that the answer is visibly truncated; a client that
is gone does not interrupt the function, whose further bytes are dropped.
"""

from __future__ import annotations

from http import HTTPStatus

from aiohttp import web

from local.buffered_answer import infer_answer
from local.errors import FunctionFailure, PreludeError
from local.invocation import AnswerHead
from local.prelude import CONTENT_TYPE, DEFAULT_CONTENT_TYPE, HttpHead, PreludeParser

# RFC 9110 section 7.6.1 and RFC 9112: the connection is ours, its fields are not the function's.
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade", "trailer"})
_WITHOUT_BODY = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
_BAD_GATEWAY = HttpHead(502, (("content-type", "text/plain"),))


class UrlAnswer:
    """Receives one answer and writes it to one client; `finish` once the outcome is known."""

    def __init__(self, request: web.BaseRequest, tracing: tuple[tuple[str, str], ...]) -> None:
        self._request = request
        self._tracing = tracing
        self._response: web.StreamResponse | None = None
        self._prelude: PreludeParser | None = None
        self._buffered: bytearray | None = None
        self._head = HttpHead()
        self._gone = False
        self._malformed = False
        self._sends_body = True
        self._missing: int | None = None

    async def begin(self, head: AnswerHead) -> None:
        """Choose how the pieces are to be read."""
        content_type = head.content_type or DEFAULT_CONTENT_TYPE
        self._head = HttpHead(200, (("content-type", content_type),))
        if not head.streaming:
            self._buffered = bytearray()
        elif content_type.partition(";")[0].strip().lower() == CONTENT_TYPE:
            self._prelude = PreludeParser()

    async def piece(self, data: bytes) -> None:
        """Write the piece; waits while the client does not take it."""
        if self._gone or self._malformed:
            return
        if self._prelude is not None or self._buffered is not None:
            data = await self._before_body(data)
        elif self._response is None:
            await self._start(self._head)
        if data:
            await self._write(data)

    async def finish(self, failure: FunctionFailure | None) -> web.StreamResponse:
        """End the response as the outcome asks for, and return it."""
        if self._response is not None:
            if failure is not None or self._missing:
                self._cut()
            return self._response
        if failure is not None or self._malformed:
            return await self._whole(_BAD_GATEWAY, b"Internal Server Error")
        if self._buffered is not None:
            return await self._infer(bytes(self._buffered))
        if self._prelude is not None:
            return await self._without_prelude(self._prelude)
        return await self._whole(self._head, b"")

    async def _before_body(self, data: bytes) -> bytes:
        """Keep what is not body yet; return what is."""
        if self._buffered is not None:
            self._buffered += data
            return b""
        assert self._prelude is not None  # noqa: S101 - the only other reason to come here
        try:
            found = self._prelude.feed(data)
        except PreludeError:
            self._malformed = True
            return b""
        if found is None:
            return b""
        self._prelude = None
        await self._start(found[0])
        return found[1]

    async def _without_prelude(self, prelude: PreludeParser) -> web.StreamResponse:
        # Measured on AWS: nothing at all is an empty 200, a body without its prelude a 502.
        if prelude.is_empty():
            head = HttpHead(200, (("content-type", DEFAULT_CONTENT_TYPE),))
            return await self._whole(head, b"")
        return await self._whole(_BAD_GATEWAY, b"Internal Server Error")

    async def _infer(self, payload: bytes) -> web.StreamResponse:
        try:
            head, body = infer_answer(payload)
        except PreludeError:
            head, body = _BAD_GATEWAY, b"Internal Server Error"
        return await self._whole(head, body)

    async def _whole(self, head: HttpHead, body: bytes) -> web.StreamResponse:
        if body or head.header("content-length") is not None:
            sized = tuple(field for field in head.headers if field[0].lower() != "content-length")
            head = HttpHead(head.status, (*sized, ("content-length", str(len(body)))), head.cookies)
        response = await self._start(head)
        if body:
            await self._write(body)
        return response

    async def _start(self, head: HttpHead) -> web.StreamResponse:
        response = web.StreamResponse(status=head.status)
        for name, value in (*head.headers, *self._tracing):
            if name.lower() not in _HOP_BY_HOP:
                response.headers.add(name, value)
        for cookie in head.cookies:
            response.headers.add("Set-Cookie", cookie)
        self._response = response
        self._sends_body = self._request.method != "HEAD" and head.status not in _WITHOUT_BODY
        self._expect(head)
        try:
            await response.prepare(self._request)
        except ConnectionError:
            self._gone = True
        return response

    def _expect(self, head: HttpHead) -> None:
        stated = head.header("content-length")
        if self._sends_body and stated is not None and stated.isdecimal():
            self._missing = int(stated)

    async def _write(self, data: bytes) -> None:
        if self._missing is not None:
            self._missing = max(0, self._missing - len(data))
        if self._response is None or self._gone or not self._sends_body:
            return
        try:
            await self._response.write(data)
        except ConnectionError:
            self._gone = True

    def _cut(self) -> None:
        # close, not abort: bytes that were answered before the failure still reach the client.
        if self._request.transport is not None:
            self._request.transport.close()
