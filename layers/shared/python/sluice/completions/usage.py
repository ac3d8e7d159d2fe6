"""The figures of tokens in an answer that passes by, without reading all of it. No I/O.

Providers give them in the last event of a stream, or at the end of a JSON answer.
"""

from __future__ import annotations

import json
import re
from collections import deque

TAIL_BYTES = 16 * 1024  # the usage has some 500 bytes, and little follows it
USAGE = re.compile(rb'"usage"\s*:\s*(?={)')
COUNT = re.compile(r"\w*tokens\w*")


class UsageFinder:
    """Keeps hold of the last chunks, which are not copied before the end."""

    def __init__(self) -> None:
        self._chunks: deque[bytes] = deque()
        self._size = 0

    def add(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self._size += len(chunk)
        while self._size - len(self._chunks[0]) >= TAIL_BYTES:
            self._size -= len(self._chunks.popleft())

    def usage(self) -> dict[str, int] | None:
        """The last usage of the answer: numbers by name, or None."""
        tail = b"".join(self._chunks)[-TAIL_BYTES:]
        for found in reversed(list(USAGE.finditer(tail))):
            usage = _object_at(tail[found.end() :])
            if usage:
                return usage
        return None


def token_counts(usage: object) -> dict[str, int] | None:
    """The counts of tokens in a provider's `usage`, without what it may say beside them."""
    if not isinstance(usage, dict):
        return None
    return {n: v for n, v in usage.items() if type(v) is int and COUNT.fullmatch(n)} or None


def _object_at(data: bytes) -> dict[str, int] | None:
    try:
        document, _ = json.JSONDecoder().raw_decode(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return token_counts(document)
