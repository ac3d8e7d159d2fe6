"""Server-sent events as bytes: recognized, cut behind whole lines, and ended. No I/O.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

EVENT_STREAM = "text/event-stream"
BLANK_LINES = (b"\n\n", b"\r\n\r\n", b"\r\r")
"""What ends an event."""
MAX_BLANK_LINE_BYTES = 4
LINE_ENDS = (b"\n", b"\r")
MAX_HELD_BYTES = 64 * 1024
"""Maximum bytes held of a line that has not ended. Providers send whole lines; more is no delta."""


def is_event_stream(headers: Mapping[str, str]) -> bool:
    return headers.get("content-type", "").lower().startswith(EVENT_STREAM)


def has_lines(headers: Mapping[str, str]) -> bool:
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


def stream_end(tail: bytes) -> bytes:
    """What an event stream that ended in `tail` lacks: a line end, or nothing.

    One only: where a blank line ends it, the last event is heard; where not even its line had
    ended, the event may be half of one, and is better not heard.
    """
    whole = tail.endswith(BLANK_LINES)
    return b"" if whole or not tail else b"\n"
