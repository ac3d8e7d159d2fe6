"""The reply to one HTTP request, and what an error means before and after its first byte."""

from __future__ import annotations

from itertools import chain

from sluice import error_body
from sluice.completions.event_stream import (
    BLANK_LINES,
    MAX_BLANK_LINE_BYTES,
    has_lines,
    is_event_stream,
    stream_end,
    whole_lines,
)
from sluice.completions.usage import UsageFinder
from sluice.errors import UpstreamBroken
from sluice.secret_mask import mask_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Protocol

    from sluice.errors import SluiceError
    from sluice.request_log import RequestLog
    from sluice.upstream.answer import UpstreamAnswer
else:
    Protocol = object  # it says something to type checkers alone

NO_CONTENT = 204


class Body(Protocol):
    """The open body of a reply: awslambda's response stream."""

    def write(self, data: bytes, /) -> Any: ...
    def end(self) -> Any: ...


class UrlReply:
    """Sends one reply.

    open_body: takes {"statusCode", "headers"} and gives the body to write to. secrets: gives what
    must not be in a reply, whoever puts it there. headers: for whatever reply it becomes.
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
        self._is_event_stream = False
        self._tail = b""
        self.bytes_sent = self.chunks_sent = 0

    def whole(self, status: int, headers: dict[str, str], body: bytes) -> None:
        """Send a reply that is already there. `body` must not be empty: a URL may hang on one."""
        opened = self._begin(status, headers)
        self._write(opened, body)
        opened.end()

    def relay(
        self,
        answer: UpstreamAnswer,
        *,
        may_be_empty: bool = False,
        listen: Callable[[bytes], None] | None = None,
    ) -> None:
        """Pass on an answer as it comes, untouched unless it holds one of the gateway's keys.

        Nothing is sent before its first byte is there. Of an event stream lines are sent whole:
        half a line says nothing to a client, and if the other half never comes it is in the way.
        may_be_empty: an answer without a body is one. listen: hears each chunk.
        """
        is_stream, usage = is_event_stream(answer.headers), UsageFinder()
        are_lines = has_lines(answer.headers)
        chunks = whole_lines(answer.chunks()) if are_lines else answer.chunks()
        source = mask_of(self._secrets()).stream(chunks)
        first = next(source, b"")
        if not first:
            if is_stream or not may_be_empty:
                raise UpstreamBroken("The upstream sent an empty answer.")
            self._relay_nothing(answer)
            return
        # A proxy must neither keep an event stream nor hold it back.
        headers = {**answer.headers, "cache-control": "no-cache"} if is_stream else answer.headers
        body = self._begin(answer.status, headers)
        try:
            for chunk in chain((first,), source):
                usage.add(chunk)
                if listen is not None:
                    listen(chunk)
                self._write(body, chunk)
            if answer.mends_stream_end and are_lines and (missing := stream_end(self._tail)):
                self._write(body, missing)
        finally:
            self._log.note(usage=usage.usage())
        body.end()

    def _relay_nothing(self, answer: UpstreamAnswer) -> None:
        """An answer without a body. Lambda may never end one, so it becomes an empty line."""
        status = 200 if answer.status == NO_CONTENT else answer.status
        self.whole(status, answer.headers, b"\n")

    def fail(self, error: SluiceError) -> None:
        """Tell the client: by status and body, or, in an event stream, by its last event.

        A begun reply of another kind has no room for an error: `error` is raised, the runtime
        breaks the reply off, and the client sees that it is incomplete.
        """
        self._log.failed(error)
        if self._body is None:
            headers = error_body.http_headers(error)
            self.whole(error.http_status, headers, error_body.http_body(error, self._secrets()))
        elif self._is_event_stream:
            # The event under way must end before another can begin.
            gap = b"" if self._tail.endswith(BLANK_LINES) else b"\n\n"
            self._write(self._body, gap + error_body.event(error, self._secrets()))
            self._body.end()
        else:
            raise error

    def _begin(self, status: int, headers: dict[str, str]) -> Body:
        self._log.note(status=status)
        self._log.first_byte()
        self._is_event_stream = has_lines(headers)
        reply_headers = {**headers, **self._headers}
        self._body = self._open_body({"statusCode": status, "headers": reply_headers})
        return self._body

    def _write(self, body: Body, data: bytes) -> None:
        body.write(data)
        self.bytes_sent += len(data)
        self.chunks_sent += 1
        self._tail = (self._tail + data[-MAX_BLANK_LINE_BYTES:])[-MAX_BLANK_LINE_BYTES:]
