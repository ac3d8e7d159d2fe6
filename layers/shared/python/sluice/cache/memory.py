"""A cache in the memory of one execution environment: lost with it, shared with no other."""

from __future__ import annotations

from _thread import allocate_lock  # `threading` takes 1 ms to import
from collections import OrderedDict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

MAX_BYTES = 64 * 1024 * 1024
"""Maximum size of all entries: an eighth of a function's 512 MB, of which an idle one uses 60."""
OVERHEAD_BYTES = 300
"""What Python takes for an entry's key and place, about: many small entries count, too."""


class MemoryCache:
    """A CacheStore. The entry that was used longest ago makes room for a new one."""

    def __init__(self, clock: Callable[[], float], max_bytes: int = MAX_BYTES) -> None:
        self._clock, self._max_bytes = clock, max_bytes
        self._lock = allocate_lock()
        self._entries: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self._bytes = 0

    def get(self, key: str) -> bytes | None:
        with self._lock:
            if key not in self._entries:
                return None
            entry, expires_at = self._entries[key]
            if expires_at <= self._clock():
                self._remove(key)
                return None
            self._entries.move_to_end(key)
            return entry

    def put(self, key: str, entry: bytes, expires_at: float) -> None:
        with self._lock:
            if key in self._entries:
                self._remove(key)
            self._entries[key] = (entry, expires_at)
            self._bytes += _size(entry)
            while self._bytes > self._max_bytes:
                self._remove(next(iter(self._entries)))

    def close(self) -> None:
        """Nothing is open."""

    def _remove(self, key: str) -> None:
        entry, _ = self._entries.pop(key)
        self._bytes -= _size(entry)


def _size(entry: bytes) -> int:
    return len(entry) + OVERHEAD_BYTES
