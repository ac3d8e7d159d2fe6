"""Server-sent events as bytes: recognized, cut after whole lines, and completed. No I/O.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

EVENT_STREAM = "text/event-stream"
BLANK_LINES = (b"\n\n", b"\r\n\r\n", b"\r\r")
"""The ends of an event."""
MAX_BLANK_LINE_BYTES = 4
LINE_ENDS = (b"\n", b"\r")
MAX_HELD_BYTES = 64 * 1024
"""Maximum part of a line that is held back, in bytes. Providers send whole lines."""


def is_event_stream(headers: Mapping[str, str]) -> bool:
    return headers.get("content-type", "").lower().startswith(EVENT_STREAM)


def has_lines(headers: Mapping[str, str]) -> bool:
    """Whether a reply is an event stream with readable lines: a compressed one has none."""
    encoding = headers.get("content-encoding", "identity").lower()
    return is_event_stream(headers) and encoding == "identity"


def whole_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes, cut after line ends: half a line would mislead a client if it stays half.

    A chunk that ends with a line, as most do, is not copied.
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


def stream_end(tail: bytes) -> bytes:
    """What is missing at the end of an event stream that ends in `tail`: a line end, or nothing.

    Never two: after a whole line, one completes the last event. After half a line, the event may be
    cut, and clients had better ignore it.
    """
    whole = tail.endswith(BLANK_LINES)
    return b"" if whole or not tail else b"\n"
