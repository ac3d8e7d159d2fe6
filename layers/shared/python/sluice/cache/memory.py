"""A cache in the memory of one execution environment: lost with it, shared with no other."""

from __future__ import annotations

from _thread import allocate_lock  # `threading` takes 1 ms to import
from collections import OrderedDict

MAX_BYTES = 64 * 1024 * 1024
"""Maximum size of all entries: an eighth of a function's 512 MB, of which an idle one uses 60."""
OVERHEAD_BYTES = 300
"""What Python takes for an entry's key and place, about: many small entries count, too."""


class MemoryCache:
    """A CacheStore. The entry that was used longest ago makes room for a new one."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._lock = allocate_lock()
        self._entries: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0

    def get(self, key: str) -> bytes | None:
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None:
                self._entries.move_to_end(key)
            return entry

    def put(self, key: str, entry: bytes, expires_at: float) -> None:
        del expires_at  # those that nobody reads make room first, expired or not
        with self._lock:
            if key in self._entries:
                self._remove(key)
            self._entries[key] = entry
            self._bytes += _size(entry)
            while self._bytes > self._max_bytes:
                self._remove(next(iter(self._entries)))

    def close(self) -> None:
        """Nothing is open."""

    def _remove(self, key: str) -> None:
        self._bytes -= _size(self._entries.pop(key))


def _size(entry: bytes) -> int:
    return len(entry) + OVERHEAD_BYTES
