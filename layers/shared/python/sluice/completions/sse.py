"""Parses server-sent events with sseclient-py, and limits the size of an event.

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
"""Maximum size of one event, in bytes. A chat completion's has a few hundred bytes, one with an
image or audio a few MB. The limit protects the function's memory."""
MAX_EVENT_LINES = 4096
"""Maximum number of lines of one event. Providers send one. sseclient-py copies an event at each
line: 80,000 short ones take 7 s, which neither a deadline nor a cancellation can stop."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def event_data(chunks: Iterable[bytes]) -> Iterator[str]:
    """The data of each event. Chunks may be cut anywhere. Raises UpstreamBroken."""
    try:
        for event in SSEClient(_bounded(_without_byte_order_mark(chunks))).events():
            yield event.data
    except UnicodeDecodeError as error:
        raise UpstreamBroken("The upstream sent an event that is not UTF-8.") from error


def _bounded(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks. Raises UpstreamBroken if they go too far without a blank line."""
    size, lines, tail = 0, 0, b""
    for chunk in chunks:
        size += len(chunk)
        lines += max(chunk.count(b"\n"), chunk.count(b"\r"))
        seen = tail + chunk
        if any(blank in seen for blank in BLANK_LINES):
            # Ignores the few bytes of the next event in this chunk.
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
