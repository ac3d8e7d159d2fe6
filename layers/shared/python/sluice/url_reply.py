"""The reply to one HTTP request, and what an error means before and after its first byte."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from sluice import error_body
from sluice.errors import UpstreamBroken
from sluice.secret_mask import SecretMask
from sluice.sse import BLANK_LINES, MAX_BLANK_LINE_BYTES
from sluice.upstream_reply import is_event_stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sluice.errors import SluiceError
    from sluice.request_log import RequestLog

MAX_HELD_BYTES = 64 * 1024
"""Of a line whose end has not come: providers send whole lines, so more than this is no delta."""


class Body(Protocol):
    """The open body of a reply: awslambda's response stream."""

    def write(self, data: bytes, /) -> Any: ...
    def end(self) -> Any: ...


class UrlReply:
    """Sends one reply.

    open_body: takes {"statusCode", "headers"} and gives the body to write to. secrets: gives what
    must not be in a reply, whoever puts it there.
    """

    def __init__(
        self,
        open_body: Callable[[dict[str, Any]], Body],
        secrets: Callable[[], tuple[str, ...]],
        log: RequestLog,
    ) -> None:
        self._open_body = open_body
        self._secrets = secrets
        self._log = log
        self._body: Body | None = None
        self._is_event_stream = False
        self._tail = b""

    def whole(self, status: int, headers: dict[str, str], body: bytes) -> None:
        """Send a reply that is already there. `body` must not be empty: a URL may hang on one."""
        opened = self._begin(status, headers)
        opened.write(body)
        opened.end()

    def relay(self, status: int, headers: dict[str, str], chunks: Iterable[bytes]) -> None:
        """Pass on chunks as they come, untouched unless they hold one of the gateway's keys.

        Nothing is sent before the first is there. Of an event stream lines are sent whole: half a
        line says nothing to a client, and if the other half never comes it is in the way.
        """
        lines = whole_lines(chunks) if is_event_stream(headers) else chunks
        source = SecretMask(self._secrets()).stream(lines)
        first = next(source, b"")
        if not first:
            raise UpstreamBroken("The upstream sent an empty answer.")
        body = self._begin(status, headers)
        self._write(body, first)
        for chunk in source:
            self._write(body, chunk)
        body.end()

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
            self._body.write(gap + error_body.event(error, self._secrets()))
            self._body.end()
        else:
            raise error

    def _begin(self, status: int, headers: dict[str, str]) -> Body:
        self._log.note(status=status)
        self._log.first_byte()
        self._is_event_stream = is_event_stream(headers)
        self._body = self._open_body({"statusCode": status, "headers": headers})
        return self._body

    def _write(self, body: Body, data: bytes) -> None:
        body.write(data)
        self._tail = (self._tail + data[-MAX_BLANK_LINE_BYTES:])[-MAX_BLANK_LINE_BYTES:]


def whole_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes, cut behind line ends; what has no end comes when the chunks have ended.

    A chunk that ends a line, as they do, passes uncopied.
    """
    held = b""
    for chunk in chunks:
        data = held + chunk if held else chunk
        end = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        if len(data) - end > MAX_HELD_BYTES:
            end = len(data)
        held = data[end:]
        if end:
            yield data if end == len(data) else data[:end]
    if held:
        yield held
