"""aiohttp's server, for clients that close their side after the request, as `nc -N` does.

aiohttp closes a connection when it reads the client's end, and so drops the answers that it owes.
It also learns of malformed requests, which no handler sees.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestHandler

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class HalfClosingServer(web.Server):
    """Answers the requests that are complete when a client closes its side."""

    def __init__(self, handler: Handler, on_malformed: Callable[[], None], **options: Any) -> None:
        super().__init__(handler, **options)
        self.on_malformed = on_malformed

    def __call__(self) -> RequestHandler:
        return _HalfClosing(self, loop=self._loop, **self._kwargs)


class _HalfClosing(RequestHandler):
    __slots__ = ("_is_half_closed", "_on_malformed")

    def __init__(self, server: HalfClosingServer, **options: Any) -> None:
        super().__init__(server, **options)
        self._is_half_closed = False
        self._on_malformed = server.on_malformed

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if isinstance(exc, HttpProcessingError):
            self._on_malformed()
        return super().handle_error(request, status, exc, message)

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio.Protocol may return it
        """Return whether an answer is still to be written; False closes the connection."""
        is_idle = self._waiter is not None and not self._messages
        if is_idle or self._upgraded or self._is_cut_off():
            return False
        self._is_half_closed = True
        return True

    async def _handle_request(
        self, request: web.BaseRequest, start_time: float | None, request_handler: Handler
    ) -> tuple[web.StreamResponse, bool]:
        if self._is_half_closed and not request.content.is_eof():
            raise ConnectionResetError("the client disconnected inside its body")
        answered = await super()._handle_request(request, start_time, request_handler)
        if self._is_half_closed and not self._messages:
            self.close()
        return answered

    def _is_cut_off(self) -> bool:
        """Return whether the newest request lacks a part of its body."""
        if self._messages:
            return not self._messages[-1][1].is_eof()
        request = self._current_request
        return request is not None and not request.content.is_eof()
