"""A model's answer, for both transports: as bytes, events or text, with keys masked."""

from __future__ import annotations

import json
from itertools import chain

from sluice.completions.event_stream import (
    is_event_stream,
    is_plain,
    is_textual,
    pieces_of,
    readable,
    recognized,
    whole_lines,
)
from sluice.completions.request import ResponseType
from sluice.completions.usage import UsageFinder
from sluice.upstream.headers import RATE_LIMITS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sluice.completions.conversation_log import Conversation
    from sluice.completions.events import CompletionEvent
    from sluice.completions.metering import Meter
    from sluice.completions.pacing import Pace
    from sluice.completions.recording import RecordedReply, ReplayedReply
    from sluice.secret_mask import SecretMask
    from sluice.upstream.reply import UpstreamReply

PARTIAL_CONTENT = 206
"""The status of a part of a body. Alone it cannot be decompressed."""


class ModelAnswer:
    """One answer, to be read once: as bytes, as events or as text. Keys in it are masked.

    Each way of reading raises as UpstreamReply.chunks; events and texts also UpstreamBroken and
    UpstreamRefused as completion_events.
    """

    def __init__(
        self,
        upstream: UpstreamReply | RecordedReply | ReplayedReply,
        mask: SecretMask,
        conversation: Conversation | None,
        meter: Meter | None = None,
        *,
        ascii_quotes: bool,
        asks_stream: bool = False,
        is_verbatim: bool = False,
        hides_usage: bool = False,
        pace: Pace | None = None,
    ) -> None:
        self.status = upstream.status
        self.headers = upstream.headers
        """Those of the bytes that `chunks` gives, which are not compressed."""
        self.mends_stream_end = upstream.mends_stream_end
        self.is_event_stream = is_event_stream(upstream.headers)
        """By its content type or, once `chunks` has given the first, by its first bytes."""
        self.usage = UsageFinder()
        self._upstream = upstream
        self._mask = mask
        self._conversation = conversation
        self._meter = meter
        self._ascii_quotes = ascii_quotes
        self._asks_stream = asks_stream
        self._is_verbatim = is_verbatim
        self._hides_usage = hides_usage
        self._pace = pace
        self._is_read = False
        self.is_whole = upstream.is_kept and pace is None
        """Whether `chunks` has all of it at once."""
        self._is_compressed = not is_plain(upstream.headers) and upstream.status != PARTIAL_CONTENT
        if self._is_compressed:
            self.headers = {n: v for n, v in upstream.headers.items() if n != "content-encoding"}
        if meter is not None:
            self.headers = meter.headers_over(self.headers)
        self.own_headers = {n: v for n, v in self.headers.items() if n.startswith(RATE_LIMITS)}
        """Those that go with the text alone, too: what is left of limits, what the cache did."""

    def chunks(self) -> Iterator[bytes]:
        """The bytes as they come; an event stream in whole lines, and little after its end mark.

        Decompressed, because a key in compressed bytes could not be masked. Heartbeats become
        comments, unless the target is verbatim.
        """
        chunks = self._upstream.chunks() if self._upstream.is_kept else self._live_chunks()
        if self.is_event_stream and self._pace is not None:
            chunks = self._pace.chunks(chunks)
        if self._meter is not None:
            is_text = is_textual(self.headers)
            chunks = self._meter.chunks(chunks, has_lines=self.is_event_stream, is_text=is_text)
        if self._hides_usage and self.is_event_stream:
            from sluice.completions.usage_event import without_usage_event  # noqa: PLC0415 -- see ask

            chunks = without_usage_event(chunks, self.usage.add_usage_event)
        for chunk in self._mask.stream(chunks):
            self.usage.add(chunk)
            if self._conversation is not None:
                self._conversation.add_chunk(chunk)
            yield chunk

    def events(self) -> Iterator[CompletionEvent]:
        """The events of a chat completion."""
        for event in self._events():
            data = event.data.encode()
            masked = self._mask.apply(data)
            if masked is not data:
                event = event._replace(data=masked.decode(), document=json.loads(masked))  # noqa: PLW2901
            yield event

    def deltas(self) -> Iterator[str]:
        """The text, piece by piece. None is held back for the key that two may share."""
        for delta in self._deltas():
            yield self._mask.text(delta)

    def text(self, response_type: ResponseType) -> str:
        """The whole text, or the value in it, which is read no further. Raises NoMatch."""
        from sluice.completions.parsers import first_value, whole_text  # noqa: PLC0415 -- see _events

        deltas = self._deltas()
        is_full = response_type is ResponseType.FULL
        return self._mask.text(
            whole_text(deltas) if is_full else first_value(response_type, deltas)
        )

    def finish(self) -> None:
        """Read what follows the end of an answer that was read whole: its connection is kept."""
        if self._is_read or self._upstream.is_recorded:
            self._upstream.finish()

    def _live_chunks(self) -> Iterator[bytes]:
        chunks = self._decompressed() if self._is_compressed else self._upstream.chunks()
        if self._asks_stream and not self.is_event_stream:
            self.is_event_stream, chunks = recognized(self.headers, chunks)
        if self.is_event_stream:
            chunks = whole_lines(chunks, self._upstream.end_soon)
            chunks = chunks if self._is_verbatim else readable(chunks)
        return chunks

    def _decompressed(self) -> Iterator[bytes]:
        from sluice.upstream.decompression import decompressed  # noqa: PLC0415 -- few servers do

        chunks = self._upstream.chunks()
        first = next(chunks, b"")
        if first:  # the reply to HEAD has no body that an encoding could be wrong for
            encoding = self._upstream.headers["content-encoding"]
            yield from decompressed(encoding, chain((first,), chunks))

    def _deltas(self) -> Iterator[str]:
        from sluice.completions.parsers import text_deltas, with_ascii_quotes  # noqa: PLC0415 -- see _events

        deltas = text_deltas(self._events())
        return with_ascii_quotes(deltas) if self._ascii_quotes else deltas

    def _events(self) -> Iterator[CompletionEvent]:
        # What relays bytes never needs a parser.
        from sluice.completions.events import completion_events  # noqa: PLC0415

        chunks = self._upstream.chunks()
        if self._upstream.is_kept:  # no client waits for all of it to be parsed
            chunks = chain.from_iterable(map(pieces_of, chunks))
        found = completion_events(self._upstream.headers, chunks)
        for event in found if self._pace is None else self._pace.items(found):
            self.usage.add_event(event.document)
            if self._conversation is not None:
                self._conversation.add_event(event.data)
            if self._meter is not None:
                self._meter.count_event(event.data)
            if not (self._hides_usage and _is_usage_alone(event)):
                yield event
        self._is_read = True


def _is_usage_alone(event: CompletionEvent) -> bool:
    from sluice.completions.usage_event import is_usage_alone  # noqa: PLC0415 -- see ask

    return is_usage_alone(event.document)
