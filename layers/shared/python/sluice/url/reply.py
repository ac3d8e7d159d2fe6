"""The reply to one HTTP request, and what an error becomes before and after its first byte."""

from __future__ import annotations

from itertools import chain

from sluice.completions.event_stream import (
    BLANK_LINES,
    EVENT_STREAM,
    MAX_BLANK_LINE_BYTES,
    is_event_stream,
    stream_end,
)
from sluice.errors import UpstreamBroken
from sluice.secret_mask import mask_of
from sluice.trace import NO_SPAN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Protocol

    from sluice.completions.answer import ModelAnswer
    from sluice.errors import SluiceError
    from sluice.request_log import RequestLog
else:
    Protocol = object  # only type checkers need the real one

NO_CONTENT = 204
UNDELAYED = {"cache-control": "no-cache", "x-accel-buffering": "no"}
"""Headers for proxies before a client. nginx collects a reply unless its second header is there:
https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_buffering"""


class Body(Protocol):
    """The open body of a reply: awslambda's response stream."""

    def write(self, data: bytes, /) -> Any: ...
    def end(self, data: bytes | None = None, /) -> Any: ...


class UrlReply:
    """Sends one reply.

    open_body: takes {"statusCode", "headers"} and gives the body to write to. secrets: gives the
    keys that no header and no error may hold. headers: part of every reply.
    """

    def __init__(
        self,
        open_body: Callable[[dict[str, Any]], Body],
        secrets: Callable[[], tuple[str, ...]],
        log: RequestLog,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._open_body = open_body
        self._headers = headers or {}
        self._secrets = secrets
        self._log = log
        self._body: Body | None = None
        self._span = NO_SPAN
        self._is_event_stream = False
        self._tail = b""
        self.bytes_sent = self.chunks_sent = 0

    def whole(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Send a complete reply. `body` must not be empty: a URL may hang on an empty one."""
        opened = self._begin(status, headers)
        self._count(body)
        opened.end(body)
        self._span.end()

    def relay(self, answer: ModelAnswer, *, may_be_empty: bool = False) -> None:
        """Pass on an answer as it comes. Nothing is sent before its first byte is there.

        may_be_empty: whether an answer without a body is valid.
        """
        if answer.is_whole:
            self.whole(answer.status, _headers(answer), b"".join(answer.chunks()))
            return
        chunks = answer.chunks()
        first = next(chunks, b"")
        if not first:
            if answer.is_event_stream or not may_be_empty:
                raise UpstreamBroken("The upstream sent an empty answer.")
            # Lambda may never end a reply without a body, so it becomes an empty line.
            status = 200 if answer.status == NO_CONTENT else answer.status
            self.whole(status, answer.headers, b"\n")
            return
        body = self._begin(answer.status, _headers(answer), is_event_stream=answer.is_event_stream)
        for chunk in chain((first,), chunks):
            self._write(body, chunk)
        mends = answer.mends_stream_end and answer.is_event_stream
        if mends and (missing := stream_end(self._tail)):
            self._write(body, missing)
        self._end(body)

    def fail(self, error: SluiceError) -> None:
        """Report an error: by status and body or, in an event stream, by its last event.

        Any other reply that has begun has no room for it. Then `error` is raised, the runtime
        aborts the reply, and the client sees that it is incomplete.
        """
        from sluice import error_body  # noqa: PLC0415 -- most requests succeed

        self._log.failed(error)
        if self._body is None:
            headers = error_body.http_headers(error)
            self.whole(error.http_status, headers, error_body.http_body(error, self._secrets()))
        elif self._is_event_stream:
            # The event in progress must end before another can begin.
            gap = b"" if self._tail.endswith(BLANK_LINES) else b"\n\n"
            self._write(self._body, gap + error_body.event(error, self._secrets()))
            self._end(self._body)
        else:
            raise error

    def _begin(
        self, status: int, headers: Mapping[str, str], *, is_event_stream: bool = False
    ) -> Body:
        self._log.note(status=status)
        self._log.first_byte()
        self._span = self._log.trace.span("delivery", status=status)
        self._is_event_stream = is_event_stream
        mask = mask_of(self._secrets())
        reply_headers = {n: mask.text(value) for n, value in headers.items()} | {**self._headers}
        self._body = self._open_body({"statusCode": status, "headers": reply_headers})
        return self._body

    def _end(self, body: Body) -> None:
        body.end()
        self._span.end()

    def _write(self, body: Body, data: bytes) -> None:
        body.write(data)
        self._count(data)
        end = data[-MAX_BLANK_LINE_BYTES:]
        is_enough = len(end) == MAX_BLANK_LINE_BYTES
        self._tail = end if is_enough else (self._tail + end)[-MAX_BLANK_LINE_BYTES:]

    def _count(self, data: bytes) -> None:
        self.bytes_sent += len(data)
        self.chunks_sent += 1


def _headers(answer: ModelAnswer) -> dict[str, str]:
    """The provider's. A proxy must neither store an event stream nor delay it."""
    if not answer.is_event_stream:
        return answer.headers
    headers = {**answer.headers, **UNDELAYED}
    return headers if is_event_stream(headers) else {**headers, "content-type": EVENT_STREAM}
