"""The cache of this machine in LMDB, for the tool: the file that the local stack uses."""

from __future__ import annotations

from collections.abc import Callable

from scripts.cache.entries import Entry, tool_errors
from sluice.cache.lmdb import HEAD, PART, LmdbCache
from sluice.cache.store import MAX_KEPT_BYTES


class LmdbEntries(LmdbCache):
    """A CacheEntries in a file, which is made if it is missing."""

    def __init__(
        self, path: str, clock: Callable[[], float], max_bytes: int = MAX_KEPT_BYTES
    ) -> None:
        self._path = path
        with tool_errors(path):
            super().__init__(path, clock, max_bytes)

    def entries(self) -> list[Entry]:
        found = []
        with tool_errors(self._path), self._reading() as transaction:
            for key, value in transaction.cursor():
                if bytes(key).endswith(PART.pack(0)):
                    expires_at, stored_at, size = HEAD.unpack_from(value)
                    found.append(Entry(size, stored_at, expires_at))
        return found

    def clear(self) -> int:
        with tool_errors(self._path), self._writing() as transaction:
            count = int(transaction.stat(self._expiries)["entries"])
            for database in (self._entries, self._expiries):
                transaction.drop(database, delete=False)
        return count
