"""The reply to one HTTP request, and what an error means before and after its first byte."""

from __future__ import annotations

from itertools import chain

from sluice import error_body
from sluice.completions.usage import UsageFinder
from sluice.errors import UpstreamBroken
from sluice.secret_mask import mask_of
from sluice.upstream.providers import stream_end
from sluice.upstream.refusal import BLANK_LINES, MAX_BLANK_LINE_BYTES, is_event_stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any, Protocol

    from sluice.errors import SluiceError
    from sluice.request_log import RequestLog
    from sluice.upstream.answer import UpstreamAnswer
else:
    Protocol = object  # it says something to type checkers alone

NO_CONTENT = 204
LINE_ENDS = (b"\n", b"\r")
MAX_HELD_BYTES = 64 * 1024
"""Of a line whose end has not come: providers send whole lines, so more than this is no delta."""


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
        has_lines = _has_lines(answer.headers)
        chunks = whole_lines(answer.chunks()) if has_lines else answer.chunks()
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
            if answer.mends_stream_end and has_lines and (missing := stream_end(self._tail)):
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
        self._is_event_stream = _has_lines(headers)
        reply_headers = {**headers, **self._headers}
        self._body = self._open_body({"statusCode": status, "headers": reply_headers})
        return self._body

    def _write(self, body: Body, data: bytes) -> None:
        body.write(data)
        self.bytes_sent += len(data)
        self.chunks_sent += 1
        self._tail = (self._tail + data[-MAX_BLANK_LINE_BYTES:])[-MAX_BLANK_LINE_BYTES:]


def _has_lines(headers: Mapping[str, str]) -> bool:
    """Whether a reply is an event stream that can be read: a compressed one has no line ends."""
    encoding = headers.get("content-encoding", "identity").lower()
    return is_event_stream(headers) and encoding == "identity"


def whole_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes, cut behind line ends; what has no end comes when the chunks have ended.

    A chunk that ends a line, as they do, passes uncopied.
    """
    held = b""
    for chunk in chunks:
        if not held and chunk.endswith(LINE_ENDS):
            yield chunk
            continue
        data = held + chunk if held else chunk
        end = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        if len(data) - end > MAX_HELD_BYTES:
            end = len(data)
        held = data[end:]
        if end:
            yield data if end == len(data) else data[:end]
    if held:
        yield held
