"""Server-sent events as bytes: recognized, cut after whole lines, and completed. No I/O.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import re
from itertools import chain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

EVENT_STREAM = "text/event-stream"
BLANK_LINES = (b"\n\n", b"\r\r", b"\n\r", b"\n\r\n", b"\r\r\n")
"""How the end of an event may end: each line may end in LF, CR or CR LF."""
MAX_BLANK_LINE_BYTES = 3
LINE_ENDS = (b"\n", b"\r")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
MAX_HELD_BYTES = 64 * 1024
"""Maximum part of a line that is held back, in bytes. Providers send whole lines."""
FIELDS = (b"data", b"event", b"id", b"retry", b"error")
"""How a line of an event begins, if it is no comment. llama.cpp reports errors in a field."""
FIRST_LINE = rb"(?:data|event|id|retry|error)[:\r\n]|:"
LONGEST_FIELD_BYTES = 6  # with what follows its name
END_MARK = b"[DONE]"
"""What OpenAI's streams end with."""
RARE_BYTE = ord("O")
"""A byte of the end mark: most events have none, and finding that takes a twentieth of the time."""
# As text, like FIRST_LINE: `re` compiles it when it is needed.
END_MARK_LINE = rb"(?:^|[\r\n])data:[ \t]*\[DONE\][ \t]*(?:[\r\n]|$)"


def is_event_stream(headers: Mapping[str, str]) -> bool:
    return headers.get("content-type", "").lower().startswith(EVENT_STREAM)


def is_plain(headers: Mapping[str, str]) -> bool:
    """Whether a reply is not compressed: compressed bytes have no lines."""
    return headers.get("content-encoding", "identity").strip().lower() in ("", "identity")


def recognized(headers: Mapping[str, str], chunks: Iterable[bytes]) -> tuple[bool, Iterator[bytes]]:
    """Whether an answer is an event stream, and its chunks.

    Some servers send events as JSON, text or bytes: then the first bytes tell.
    """
    if is_event_stream(headers):
        return True, iter(chunks)
    rest, start = iter(chunks), b""
    for chunk in rest:
        start = start + chunk if start else chunk
        is_stream = _begins_events(start)
        if is_stream is not None:
            return is_stream, chain((start,), rest)
    return False, iter((start,) if start else ())


def _begins_events(start: bytes) -> bool | None:
    """None: too few bytes to tell."""
    begin = start.removeprefix(BYTE_ORDER_MARK).lstrip()[:LONGEST_FIELD_BYTES]
    if re.match(FIRST_LINE, begin):
        return True
    may_become_one = BYTE_ORDER_MARK.startswith(start) or any(
        field.startswith(begin) for field in FIELDS
    )
    return None if may_become_one and len(start) <= MAX_HELD_BYTES else False


def whole_lines(
    chunks: Iterable[bytes], on_end: Callable[[], None] = lambda: None
) -> Iterator[bytes]:
    """The same bytes, cut after line ends: half a line would mislead a client if it stays half.

    A chunk that ends with a line, as most do, is not copied. on_end: called when the end mark has
    come, before the next chunk is read.
    """
    held = b""
    for chunk in chunks:
        data = held + chunk if held else chunk
        has_ended = RARE_BYTE in data and END_MARK in data and re.search(END_MARK_LINE, data)
        if not held and chunk.endswith(LINE_ENDS):
            if has_ended:
                on_end()
            yield chunk
            continue
        end = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        if has_ended or len(data) - end > MAX_HELD_BYTES:
            end = len(data)
        held = data[end:]
        if has_ended:
            on_end()
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
    if whole or not tail:
        return b""
    return b"\r" if tail.endswith(b"\r") else b"\n"  # CR and LF would be one line end
