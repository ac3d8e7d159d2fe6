"""The token counts of an answer that passes by, without parsing all of it. No I/O.

Providers report them in the last event of a stream, or at the end of a JSON answer.
"""

from __future__ import annotations

import json
import re
from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

TAIL_BYTES = 16 * 1024  # usage takes some 500 bytes, and little follows it
HEAD_BYTES = 1024
"""Some JSON answers have their usage before vectors or choices, after a few short members."""
OBJECT = rb"\s*{"
# As text: `re` compiles them once a client has its answer.
USAGE = r'"usage(?:Metadata)?"\s*:\s*(?={)'
STRUCTURE = r'"[^"\\]*(?:\\.[^"\\]*)*"|[][{}]'
MAX_DEPTH = 2
"""Objects around a count: those of responses and of Gemini's lists have two. An answer repeats its
request's tools deeper than that, and a parameter may be named `usage`."""
COUNT = r"(?i)\w*token(?:s|count)\w*"
INPUT = r"(?i)(?:prompt|input)_?token(?:s|count)"
DETAILS = ("prompt_tokens_details", "input_tokens_details")
CACHED = "cached_tokens"


class UsageFinder:
    """Takes an answer as bytes, of which it keeps both ends uncopied, or as events."""

    def __init__(self) -> None:
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._first = b""
        self._of_events: dict[str, int] | None = None

    def add_event(self, document: dict[str, Any]) -> None:
        self._of_events = token_counts(document.get("usage")) or self._of_events

    def add_usage_event(self, event: bytes) -> None:
        """An event that has the usage: the rest of its chunk may be longer than the end kept."""
        self._of_events = _last_usage(event) or self._of_events

    def add(self, chunk: bytes) -> None:
        self._first = self._first or chunk
        self._chunks.append(chunk)
        self._size += len(chunk)
        while self._size - len(self._chunks[0]) >= TAIL_BYTES:
            self._size -= len(self._chunks.popleft())

    def usage(self) -> dict[str, int] | None:
        """The last usage of the answer: counts by name, or None."""
        if self._of_events is not None:
            return self._of_events
        found = _last_usage(b"".join(self._chunks)[-TAIL_BYTES:])
        if found is None and re.match(OBJECT, self._first):
            found = _last_usage(self._first[:HEAD_BYTES], is_head=True)
        return found


def usage_in(answer: bytes) -> dict[str, int] | None:
    """The last usage of a whole answer."""
    finder = UsageFinder()
    finder.add(answer)
    return finder.usage()


def token_counts(usage: object) -> dict[str, int] | None:
    """The token counts in a provider's `usage`, without its other fields, details included."""
    if not isinstance(usage, dict):
        return None
    found = {name: _count(value) for name, value in usage.items() if re.fullmatch(COUNT, name)}
    for details in (usage.get(name) for name in DETAILS):
        cached = _count(details.get(CACHED)) if isinstance(details, dict) else None
        found[CACHED] = cached or found.get(CACHED)
    return {name: count for name, count in found.items() if count is not None} or None


def _count(value: object) -> int | None:
    """Some servers write 7.0 or "7"."""
    if type(value) is str and re.fullmatch(r"[0-9]{1,15}", value):
        return int(value)
    if type(value) is float and value.is_integer():
        return int(value)
    return value if type(value) is int else None


def _last_usage(data: bytes, *, is_head: bool = False) -> dict[str, int] | None:
    """The last counts. Streams of Anthropic's API count the input in an earlier event.

    is_head: whether the end of the answer is missing, and not its beginning.
    """
    text = data.decode("utf-8", "replace")
    usage: dict[str, int] = {}
    for found in reversed(list(re.finditer(USAGE, text))):
        counts, end = _object_at(text, found.end())
        depth = _depths(text[: found.start()])[0] if is_head else _depths(text[end:])[1]
        if counts and 0 < depth <= MAX_DEPTH:
            usage = {**counts, **usage}
        if any(re.fullmatch(INPUT, name) for name in usage):
            break
    return usage or None


def _object_at(text: str, start: int) -> tuple[dict[str, int] | None, int]:
    try:
        document, end = json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):
        return None, start
    return token_counts(document), end


def _depths(text: str) -> tuple[int, int]:
    """How many objects and lists a piece of JSON leaves open, and how many earlier ones it ends."""
    opened = ended = 0
    for found in re.finditer(STRUCTURE, text):
        if found[0] in "[{":
            opened += 1
        elif found[0] in "]}":
            ended, opened = (ended, opened - 1) if opened else (ended + 1, 0)
    return opened, ended
