"""The event with nothing but the token counts: asked for, and kept from a client that did not ask.

OpenAI's streams count tokens only with `stream_options.include_usage`, in an event before the end
mark whose `choices` are empty. No I/O.
https://platform.openai.com/docs/api-reference/chat/create#chat-create-stream_options
"""

from __future__ import annotations

import json
import re

from sluice.completions.event_stream import chunks_of_events, each_event, pieces_of_events
from sluice.completions.sse import EventParser

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from sluice.upstream.call import ModelCall

NO_CHOICES = rb'"choices"\s*:\s*(?:\[\s*\]|null)'
"""Events without it pass unread. OpenAI's have `"usage": null` in each."""
BLANKS = b"\r\n"
COUNTED_PATHS_END = "/completions"
"""How paths end whose streams count tokens on request: /chat/completions, /completions, and
those of further APIs, with a version before them. Streams of /responses always count."""


def asking_for_usage(call: ModelCall) -> ModelCall | None:
    """The call of a stream that asks for its token counts too; None if it does, or cannot."""
    if call.method != "POST" or not call.path.endswith(COUNTED_PATHS_END) or not call.is_json:
        return None
    try:
        document = json.loads(call.body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or not lacks_usage(document):
        return None
    options = document.get("stream_options") or {}
    return call.with_member("stream_options", {**options, "include_usage": True})


def lacks_usage(document: Mapping[str, Any]) -> bool:
    """Whether a request is for a stream without token counts, which may be asked for."""
    options = document.get("stream_options") or {}
    is_stream = document.get("stream") is True
    return is_stream and isinstance(options, dict) and not options.get("include_usage")


def is_usage_alone(document: Mapping[str, Any]) -> bool:
    """Whether an event has token counts and no part of an answer. Some servers send null."""
    return document.get("choices") in ([], None) and isinstance(document.get("usage"), dict)


def without_usage_event(
    chunks: Iterable[bytes], found: Callable[[bytes], object]
) -> Iterator[bytes]:
    """An event stream without that event, which `found` gets, and otherwise the same bytes.

    Part of an event is held back until its end is there.
    """
    for chunk in chunks_of_events(chunks):
        cuts = usage_cuts(chunk)
        if not cuts:
            yield chunk
            continue
        for start, end in zip(cuts[::2], cuts[1::2], strict=True):
            found(chunk[start:end])
        if kept := without(chunk, cuts):
            yield kept


def usage_cuts(events: bytes) -> list[int]:
    """Where those events begin and end among others: begin, end, begin, end, …"""
    cuts: list[int] = []
    if not re.search(NO_CHOICES, events):
        return cuts
    end = 0
    for piece in pieces_of_events(events):
        if not re.search(NO_CHOICES, piece):
            end += len(piece)
            continue
        for event in each_event([piece]):
            end += len(event)
            if _is_usage_event(event):
                # Blank lines too many end nothing. They may have come with the event before.
                cuts += [end - len(event.lstrip(BLANKS)), end]
    return cuts


def without(events: bytes, cuts: Sequence[int]) -> bytes:
    """The rest, without what `usage_cuts` has found."""
    starts, ends = (0, *cuts[1::2]), (*cuts[::2], len(events))
    return b"".join(events[start:end] for start, end in zip(starts, ends, strict=False))


def _is_usage_event(event: bytes) -> bool:
    if not re.search(NO_CHOICES, event):
        return False
    parser = EventParser()
    events = [*parser.feed(event), parser.end()]
    try:
        document = json.loads(next((found.data for found in events if found), None) or "")
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and is_usage_alone(document)
