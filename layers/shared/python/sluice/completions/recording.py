"""Replies that are kept while they pass, and replies that were kept. No I/O of their own."""

from __future__ import annotations

from sluice.completions.event_stream import END_MARK
from sluice.errors import UpstreamBroken
from sluice.upstream.decompression import decompressed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from sluice.upstream.reply import UpstreamReply

OK_STATUS = 200


class RecordedReply:
    """A provider's reply whose bytes are remembered while they pass, up to max_bytes."""

    is_recorded = True
    is_kept = False

    def __init__(self, reply: UpstreamReply, max_bytes: int) -> None:
        self.status = reply.status
        self.headers = reply.headers
        self.mends_stream_end = reply.mends_stream_end
        self.end_soon = reply.end_soon
        self._reply = reply
        self._max_bytes = self._room = max_bytes
        self._chunks: list[bytes] = []
        self._has_ended = False

    def __enter__(self) -> RecordedReply:  # noqa: PYI034 -- `typing` is kept out of small modules
        self._reply.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._reply.__exit__(kind, error, trace)

    def chunks(self) -> Iterator[bytes]:
        """As UpstreamReply.chunks."""
        for chunk in self._reply.chunks():
            self._add(chunk)
            yield chunk
        self._has_ended = True

    def finish(self) -> None:
        """As UpstreamReply.finish; also for an answer that was not read to its end."""
        if not self._has_ended:
            for chunk in self._reply.rest():
                self._add(chunk)

    def body(self) -> bytes | None:
        """The whole answer, not compressed.

        None if its end, or a part of it, is missing, also where it has more than max_bytes.
        """
        if self._room < 0 or self.status != OK_STATUS:
            return None
        body = bytearray()
        try:
            for piece in decompressed(self.headers.get("content-encoding", ""), self._chunks):
                body += piece
                if len(body) > self._max_bytes:  # a few KB may become gigabytes
                    return None
        except UpstreamBroken:
            return None
        return bytes(body) if self._has_ended or END_MARK in body else None

    def _add(self, chunk: bytes) -> None:
        self._room -= len(chunk)
        if self._room >= 0:
            self._chunks.append(chunk)
        else:
            self._chunks.clear()  # too long to be kept


class ReplayedReply:
    """A kept answer, as a reply: all of it, in the form in which clients get it."""

    is_recorded = mends_stream_end = False
    is_kept = True
    status = OK_STATUS

    def __init__(self, content_type: str, body: bytes) -> None:
        self.headers = {"content-type": content_type}
        self._body = body

    def __enter__(self) -> ReplayedReply:  # noqa: PYI034 -- see RecordedReply
        return self

    def __exit__(self, *_error: object) -> None:
        """Nothing is open."""

    def chunks(self) -> Iterator[bytes]:
        """The answer in one piece."""
        yield self._body

    def end_soon(self) -> None:
        """Nothing follows."""

    def finish(self) -> None:
        """Nothing is left."""
