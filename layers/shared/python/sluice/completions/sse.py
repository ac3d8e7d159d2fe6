"""Server-sent events out of bytes, by sseclient-py, with bounds on what one event may hold.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

from sseclient import SSEClient

from sluice.completions.event_stream import BLANK_LINES, MAX_BLANK_LINE_BYTES
from sluice.errors import UpstreamBroken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_EVENT_BYTES = 8 * 1024 * 1024
"""An event of a chat completion has some hundred bytes; one with an image or audio in it, a few MB.
Past this the upstream does not send events, and the function's memory is worth more."""
MAX_EVENT_LINES = 4096
"""sseclient-py copies an event at each of its lines: one of 80,000 short ones takes it 7 s, which
neither a deadline nor a cancellation ends. Providers put an event on one line."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def event_data(chunks: Iterable[bytes]) -> Iterator[str]:
    """The data of each event, however the bytes are cut. Raises UpstreamBroken."""
    try:
        for event in SSEClient(_bounded(_without_byte_order_mark(chunks))).events():
            yield event.data
    except UnicodeDecodeError as error:
        raise UpstreamBroken("The upstream sent an event that is not UTF-8.") from error


def _bounded(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks, counted from blank line to blank line."""
    size, lines, tail = 0, 0, b""
    for chunk in chunks:
        size += len(chunk)
        lines += max(chunk.count(b"\n"), chunk.count(b"\r"))
        seen = tail + chunk
        if any(blank in seen for blank in BLANK_LINES):
            # Less the little behind the blank line, which the next one counts again.
            size = lines = 0
        tail = seen[-MAX_BLANK_LINE_BYTES + 1 :]
        if size > MAX_EVENT_BYTES:
            raise UpstreamBroken(f"The upstream sent an event of over {MAX_EVENT_BYTES} bytes.")
        if lines > MAX_EVENT_LINES:
            raise UpstreamBroken(f"The upstream sent an event of over {MAX_EVENT_LINES} lines.")
        yield chunk


def _without_byte_order_mark(chunks: Iterable[bytes]) -> Iterator[bytes]:
    start = b""
    rest = iter(chunks)
    for chunk in rest:
        start += chunk
        if len(start) >= len(BYTE_ORDER_MARK) or not BYTE_ORDER_MARK.startswith(start):
            break
    yield start.removeprefix(BYTE_ORDER_MARK)
    yield from rest
