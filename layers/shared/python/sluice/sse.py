"""Server-sent events out of bytes, by sseclient-py, with a bound on what one event may hold.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sseclient import SSEClient

from sluice.errors import UpstreamBroken

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_EVENT_BYTES = 8 * 1024 * 1024
"""An event of a chat completion has some hundred bytes; one with an image or audio in it, a few MB.
Past this the upstream does not send events, and the function's memory is worth more."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def event_data(chunks: Iterable[bytes]) -> Iterator[str]:
    """The data of each event, however the bytes are cut. Raises UpstreamBroken."""
    source = _Bounded(chunks)
    try:
        for event in SSEClient(iter(source)).events():
            source.event_ended()
            yield event.data
    except UnicodeDecodeError as error:
        raise UpstreamBroken("The upstream sent an event that is not UTF-8.") from error


class _Bounded:
    """Chunks without a byte order mark, counted from event to event."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = _without_byte_order_mark(chunks)
        self._bytes_of_event = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self._bytes_of_event += len(chunk)
            if self._bytes_of_event > MAX_EVENT_BYTES:
                raise UpstreamBroken(f"The upstream sent an event of over {MAX_EVENT_BYTES} bytes.")
            yield chunk

    def event_ended(self) -> None:
        self._bytes_of_event = 0


def _without_byte_order_mark(chunks: Iterable[bytes]) -> Iterator[bytes]:
    start = b""
    rest = iter(chunks)
    for chunk in rest:
        start += chunk
        if len(start) >= len(BYTE_ORDER_MARK) or not BYTE_ORDER_MARK.startswith(start):
            break
    yield start.removeprefix(BYTE_ORDER_MARK)
    yield from rest
