"""Parses server-sent events. No I/O.

https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from __future__ import annotations

from sluice.completions.event_stream import BYTE_ORDER_MARK, LINE_ENDS
from sluice.errors import UpstreamBroken
from sluice.named_tuple import NamedTuple

MAX_EVENT_BYTES = 8 * 1024 * 1024
"""Maximum size of one event, in bytes. A chat completion's has a few hundred bytes, one with an
image or audio a few MB. The limit protects the function's memory."""

LINE_OVERHEAD_BYTES = 50
"""Memory of a line in addition to its bytes: each is an object of its own."""
MAX_SHORT_LINE_BYTES = 64


class Event(NamedTuple):
    """One event, or lines between two blank ones that are no event."""

    name: str
    """The value of its field `event`."""
    data: str | None
    """None if it has no field `data`: then a browser ignores it."""
    other: str
    """Lines that browsers ignore, such as an error without `data:`."""


class EventParser:
    """Takes a stream in pieces, which may be cut anywhere. Its time grows with the bytes alone."""

    def __init__(self) -> None:
        self._is_at_start = True
        self._ended_in_cr = False
        self._line = bytearray()  # begun, but not ended
        self._name = b""
        self._data: list[bytes] = []
        self._other: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that end in this piece. Raises UpstreamBroken if one is too large."""
        if self._ended_in_cr and chunk:
            chunk = chunk.removeprefix(b"\n")  # the second half of a CR LF
            self._ended_in_cr = False
        if not chunk:
            return []
        lines = chunk.splitlines()
        begun = b"" if chunk.endswith(LINE_ENDS) else lines.pop()
        events: list[Event] = []
        for end in lines:
            line = end
            if self._line:
                line = bytes(self._line + end)
                self._line.clear()
            if line:
                self._read(line)
                continue
            if (event := self._unfinished()) is not None:
                events.append(event)
            self._forget()
        self._line += begun
        self._ended_in_cr = chunk.endswith(b"\r")
        if self._size + len(self._line) > MAX_EVENT_BYTES:
            raise UpstreamBroken(f"The upstream sent an event of over {MAX_EVENT_BYTES} bytes.")
        return events

    def end(self) -> Event | None:
        """The event that the end of the stream cuts off, if any. A browser ignores it."""
        if self._line:
            self.feed(b"\n")
        return self._unfinished()

    def begun_data(self) -> bytes:
        """The data of the event that has begun, if it is one short line, which may lack its end."""
        if not self._line:
            return self._data[0] if len(self._data) == 1 else b""
        if self._data or len(self._line) > MAX_SHORT_LINE_BYTES:
            return b""
        name, _, value = bytes(self._line).partition(b":")
        return value if name == b"data" else b""

    def _unfinished(self) -> Event | None:
        if not (self._data or self._other):
            return None
        data = _text(self._data) if self._data else None
        name = self._name.decode("utf-8", "replace") if self._name else ""
        return Event(name, data, _text(self._other) if self._other else "")

    def _read(self, line: bytes) -> None:
        if self._is_at_start:
            self._is_at_start = False
            line = line.removeprefix(BYTE_ORDER_MARK)
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
        elif name == b"event":
            self._name = value.removeprefix(b" ")
        elif name in (b"", b"id", b"retry"):  # without a name it is a comment
            return
        else:
            self._other.append(line)
        self._size += len(line) + LINE_OVERHEAD_BYTES

    def _forget(self) -> None:
        self._is_at_start = False
        self._name = b""
        self._data, self._other = [], []
        self._size = 0


def _text(lines: list[bytes]) -> str:
    return b"\n".join(lines).decode("utf-8", "replace")
