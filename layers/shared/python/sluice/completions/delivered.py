"""About how many tokens of an answer were delivered, for answers that no provider counts (no I/O).

Most answers are counted. So what passes is held as it is, and looked at when it must be.
"""

from __future__ import annotations

import re

from sluice.access.usage import output_tokens

MAX_HELD_BYTES = 8 * 1024 * 1024
"""Maximum size of what is held, in bytes: some 30,000 events. Then it is counted, which
takes 0.1 s."""
GENERATED = (
    rb'"(?:content|text|delta|refusal|reasoning(?:_content)?|arguments|thinking|partial_json)"'
    rb'\s*:\s*"([^"\\]*(?:\\.[^"\\]*)*)"'
)
"""A member of an event that has a piece of what the model says."""
MAX_TOKEN_BYTES = 16
"""More text for each event on average, in bytes: then events have several tokens. A token of text
has about 4, with a Chinese character as \\u4e2d 6."""
TEXT_BYTES_PER_TOKEN = 4


class Delivered:
    """Of one answer: events, or else bytes of JSON or text."""

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._size = 0
        self._events: int | None = None
        self._text = self._tokens = 0

    @property
    def has_begun(self) -> bool:
        """Whether there was an event, or any byte of another answer."""
        is_stream = self._events is not None
        return bool(self._events) if is_stream else bool(self._held or self._tokens)

    def add_events(self, data: bytes, count: int) -> None:
        """A piece of an event stream, with so many events."""
        self._events = (self._events or 0) + count
        self.add_bytes(data)

    def add_bytes(self, data: bytes) -> None:
        """A piece of any other answer."""
        self._held.append(data)
        self._size += len(data)
        if self._size > MAX_HELD_BYTES:
            self._count()

    def tokens(self) -> int:
        self._count()
        if self._events is None:
            return self._tokens
        has_long_events = self._text > MAX_TOKEN_BYTES * self._events
        return -(-self._text // TEXT_BYTES_PER_TOKEN) if has_long_events else self._events

    def _count(self) -> None:
        data = b"".join(self._held)
        if self._events is None:
            self._tokens += output_tokens(data)
        else:
            self._text += sum(len(found[1]) for found in re.finditer(GENERATED, data))
        self._held, self._size = [], 0
