"""Replies of a provider without a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.completions.event_stream import EVENT_STREAM
from sluice.upstream.reply import UpstreamReply

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Reply(UpstreamReply):
    """A provider's reply in given pieces."""

    def __init__(
        self,
        pieces: Sequence[bytes],
        error: Exception | None = None,
        encoding: str = "",
        content_type: str = EVENT_STREAM,
    ) -> None:
        self.status, self.mends_stream_end = 200, False
        self.headers = {"content-type": content_type, "content-encoding": encoding}
        self.pieces, self.error = iter(pieces), error

    def chunks(self) -> Iterator[bytes]:
        yield from self.pieces
        if self.error is not None:
            raise self.error

    def rest(self) -> Iterator[bytes]:
        return self.pieces

    def end_soon(self) -> None:
        """Nothing is waited for."""
