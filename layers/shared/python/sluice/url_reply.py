"""The reply to one HTTP request, and what an error means before and after its first byte."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from sluice import error_body
from sluice.errors import UpstreamBroken
from sluice.upstream_reply import is_event_stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sluice.errors import SluiceError
    from sluice.request_log import RequestLog

BLANK_LINES = (b"\n\n", b"\r\n\r\n", b"\r\r")


class Body(Protocol):
    """The open body of a reply: awslambda's response stream."""

    def write(self, data: bytes, /) -> Any: ...
    def end(self) -> Any: ...


class UrlReply:
    """Sends one reply.

    open_body: takes {"statusCode", "headers"} and gives the body to write to.
    """

    def __init__(self, open_body: Callable[[dict[str, Any]], Body], log: RequestLog) -> None:
        self._open_body = open_body
        self._log = log
        self._body: Body | None = None
        self._is_event_stream = False
        self._tail = b""

    def whole(self, status: int, headers: dict[str, str], body: bytes) -> None:
        """Send a reply that is already there. `body` must not be empty: a URL may hang on one."""
        self._begin(status, headers).write(body)
        self._end()

    def relay(self, status: int, headers: dict[str, str], chunks: Iterable[bytes]) -> None:
        """Pass on chunks as they come, untouched. Nothing is sent before the first is there."""
        source = iter(chunks)
        first = next(source, b"")
        if not first:
            raise UpstreamBroken("The upstream sent an empty answer.")
        body = self._begin(status, headers)
        body.write(first)
        self._tail = first[-4:]
        for chunk in source:
            body.write(chunk)
            self._tail = (self._tail + chunk)[-4:]
        self._end()

    def fail(self, error: SluiceError, secrets: Iterable[str]) -> None:
        """Tell the client: by status and body, or, in an event stream, by its last event.

        A begun reply of another kind has no room for an error: `error` is raised, the runtime
        breaks the reply off, and the client sees that it is incomplete.
        """
        self._log.failed(error)
        if self._body is None:
            headers = error_body.http_headers(error)
            self.whole(error.http_status, headers, error_body.http_body(error, secrets))
        elif self._is_event_stream:
            # An event cut in the middle must end before the next can begin.
            gap = b"" if self._tail.endswith(BLANK_LINES) else b"\n\n"
            self._body.write(gap + error_body.event(error, secrets))
            self._end()
        else:
            raise error

    def _begin(self, status: int, headers: dict[str, str]) -> Body:
        self._log.note(status=status)
        self._log.first_byte()
        self._is_event_stream = is_event_stream(headers)
        self._body = self._open_body({"statusCode": status, "headers": headers})
        return self._body

    def _end(self) -> None:
        if self._body is not None:
            self._body.end()
