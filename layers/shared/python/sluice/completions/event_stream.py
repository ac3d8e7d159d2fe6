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
LF, CR = b"\n\r"  # as numbers, which are found in a fifth of the time
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
PIECE_BYTES = 64 * 1024
"""Size of what is read at once of a whole stream. All its events would take 100 MB of memory."""
MAX_HELD_BYTES = 64 * 1024
"""Maximum part of a line that is held back, in bytes. Providers send whole lines."""
FIELDS = (b"data", b"event", b"id", b"retry", b"error")
"""How a line of an event begins, if it is no comment. llama.cpp reports errors in a field."""
FIRST_LINE = rb"(?:data|event|id|retry|error)[:\r\n]|:"
LONGEST_FIELD_BYTES = 6  # with what follows its name
NO_DATA = (b"", b"null")
"""The data of an event that says nothing: a heartbeat."""
HEARTBEAT = rb"(?:^|[\r\n])(?:data|event)"
"""In an event without data: `id` and `retry` alone have a meaning."""
FIELDS_WITHOUT_DATA = (b"", b"event", b"id", b"retry")
"""The names of other fields. Without a name, a line is a comment."""
EVENT_START, EVENT_END = b"data: {", b"}\n\n"
"""How most events begin and end."""
END_MARK = b"[DONE]"
"""What OpenAI's streams end with."""
RARE_BYTE = ord("O")
"""A byte of the end mark: most events have none, and finding that takes a twentieth of the time."""
LINE_END = rb"(?>\r\n|\n|\r(?!\Z))"  # a CR may be half of a CR LF
BLANK_LINE = LINE_END + LINE_END
# As text, like FIRST_LINE: `re` compiles it when it is needed.
END_MARK_LINE = rb"(?:^|[\r\n])data:[ \t]*\[DONE\][ \t]*(?:[\r\n]|$)"


def is_event_stream(headers: Mapping[str, str]) -> bool:
    return headers.get("content-type", "").lower().startswith(EVENT_STREAM)


def is_plain(headers: Mapping[str, str]) -> bool:
    """Whether a reply is not compressed: compressed bytes have no lines."""
    return headers.get("content-encoding", "identity").strip().lower() in ("", "identity")


def is_textual(headers: Mapping[str, str]) -> bool:
    """Whether an answer is text or JSON, and not speech or an image."""
    kind = headers.get("content-type", "").lower()
    return not kind or kind.startswith("text/") or "json" in kind or "xml" in kind


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


def chunks_of_events(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in chunks that end with an event; the last one may be cut off."""
    held = b""
    for chunk in chunks:
        if not held and chunk.endswith(b"\n\n"):  # as nearly all do
            yield chunk
            continue
        held += chunk
        ends = [found.end() for found in re.finditer(BLANK_LINE, held)]
        if ends:
            yield held[: ends[-1]]
            held = held[ends[-1] :]
    if held:
        yield held


def each_event(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes, one event at a time; the last one may be cut off."""
    held = b""
    for chunk in chunks:
        held += chunk
        start = 0
        for end in re.finditer(BLANK_LINE, held):
            yield held[start : end.end()]
            start = end.end()
        held = held[start:]
    if held:
        yield held


def pieces_of(body: bytes) -> Iterator[bytes]:
    """A stream in pieces that end anywhere, for a parser."""
    return (body[at : at + PIECE_BYTES] for at in range(0, len(body), PIECE_BYTES))


def pieces_of_events(stream: bytes, size: int = PIECE_BYTES) -> Iterator[bytes]:
    """A stream in pieces of at least `size` bytes, which end with an event."""
    start = 0
    while start < len(stream):
        found = stream.find(b"\n\n", start + size)
        end = len(stream) if found < 0 else found + len(b"\n\n")
        yield stream[start:end]
        start = end


def readable(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same whole lines, but heartbeats become comments.

    Some providers send events with blank data, or with a name alone, as heartbeats. OpenAI's SDKs
    fail to parse them. A comment keeps a connection open as well.
    """
    events = _Events()
    for chunk in chunks:
        if events.is_between and _has_data(chunk):
            yield chunk
        elif data := events.readable(chunk):
            yield data
    if events.held:
        yield events.held  # cut off: no reader takes it for an event


def _has_data(chunk: bytes) -> bool:
    """Whether a chunk is nothing but whole events with data. This looks for the usual form only."""
    if CR in chunk:
        return False
    if chunk.find(LF) == len(chunk) - 2 and chunk.startswith(EVENT_START):
        return True
    return chunk.endswith(EVENT_END) and chunk.count(b"\n\n") == chunk.count(EVENT_END)


class _Events:
    """The events of a stream, read line by line."""

    def __init__(self) -> None:
        self.held = b""
        """The lines of an event that has no data so far."""
        self.is_between = True
        self._has_data = self._ended_in_cr = False

    def readable(self, chunk: bytes) -> bytes:
        """The lines held and these, as far as it is known whether they are a comment."""
        passed: list[bytes] = []
        for line in chunk.splitlines(keepends=True):
            if line == b"\n" and self._ended_in_cr and self.held:
                self.held += line  # the second half of a CR LF
            elif line == b"\n" and self._ended_in_cr:
                passed.append(line)
            else:
                passed.append(self._passed(line))
            self._ended_in_cr = line.endswith(b"\r")
        self.is_between = not (self.held or self._has_data)
        return b"".join(passed)

    def _passed(self, line: bytes) -> bytes:
        text = line.rstrip(b"\r\n")
        is_short = len(self.held) < MAX_HELD_BYTES
        if text and not self._has_data and is_short and _says_nothing(text):
            if text.startswith(b":") and not self.held:
                return line
            self.held += line
            return b""
        held, self.held = self.held, b""
        self._has_data = bool(text)
        if text or not re.search(HEARTBEAT, held):
            return held + line
        # No blank line: if an earlier event had an id, it ends another one for the Python SDK.
        comment = b"".join(b":" + each for each in held.splitlines(keepends=True))
        return comment.rstrip(b"\r\n") + line


def _says_nothing(text: bytes) -> bool:
    name, _, value = text.partition(b":")
    return name in FIELDS_WITHOUT_DATA or (name == b"data" and value.strip() in NO_DATA)


def stream_end(tail: bytes) -> bytes:
    """What is missing at the end of an event stream that ends in `tail`: a line end, or nothing.

    Never two: after a whole line, one completes the last event. After half a line, the event may be
    cut, and clients had better ignore it.
    """
    whole = tail.endswith(BLANK_LINES)
    if whole or not tail:
        return b""
    return b"\r" if tail.endswith(b"\r") else b"\n"  # CR and LF would be one line end
