"""What keeps the answer cache's entries: bytes under keys, each with an expiry."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object  # it says something to type checkers alone

MAX_ENTRY_BYTES = 4 * 1024 * 1024
"""Maximum size of an entry, compressed: an answer of about a million tokens."""
MAX_KEPT_BYTES = 1024**3
"""Maximum size of all entries in a file, so that a cache does not fill a disk."""
MAX_REMOVED = 8
"""Expired entries that one write to a file removes. More than it adds, so their number sinks; few,
because each may have MAX_ENTRY_BYTES."""


class CacheStore(Protocol):
    """Entries under keys. Any thread may call any method.

    `get` and `put` raise StateUnavailable within bounded time if the store fails. The error names
    no value.
    """

    def get(self, key: str) -> bytes | None:
        """The entry, or None. It may have expired, or be damaged: the reader checks."""

    def put(self, key: str, entry: bytes, expires_at: float) -> None:
        """Keep `entry`; it replaces the previous one. One that is too large is not kept.

        key: ASCII, at most 400 characters. expires_at: Unix time in seconds.
        """

    def close(self) -> None:
        """Close what is kept open between calls; the next call opens it again."""
