"""The cache of one machine: a SQLite file that any number of processes share."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable

from sluice.cache.store import MAX_KEPT_BYTES, MAX_REMOVED
from sluice.state.sqlite_file import SqliteFile

GET_BUSY_TIMEOUT_S = 0.5
"""Maximum wait of a reader, in seconds. It waits for no writer, only for a file that is opened
after a crash. The provider may be as quick as a longer wait."""

SCHEMA = """
CREATE TABLE entries (
  key TEXT PRIMARY KEY, expires_at INTEGER, stored_at INTEGER, entry BLOB
);
CREATE INDEX entries_expires_at ON entries (expires_at);
"""
GET = "SELECT entry FROM entries WHERE key = ?"
PUT = "INSERT OR REPLACE INTO entries (key, expires_at, stored_at, entry) VALUES (?, ?, ?, ?)"
REMOVE = """
DELETE FROM entries WHERE rowid IN
  (SELECT rowid FROM entries WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)
"""
AT_ANY_TIME = 1 << 62  # later than any expiry


class SqliteCache:
    """A CacheStore in the file at `path`. What expires first makes room for new entries.

    clock: Unix time. max_bytes: of the pages in use; the file has a few more.
    """

    def __init__(
        self, path: str, clock: Callable[[], float], max_bytes: int = MAX_KEPT_BYTES
    ) -> None:
        self._file = SqliteFile(path, "cache file", SCHEMA)
        self._clock, self._max_bytes = clock, max_bytes

    def get(self, key: str) -> bytes | None:
        with self._file.opened("read", GET_BUSY_TIMEOUT_S) as database:
            row = database.execute(GET, (key,)).fetchone()
        return row[0] if row and isinstance(row[0], bytes) else None

    def put(self, key: str, entry: bytes, expires_at: float) -> None:
        now = self._clock()
        with self._file.opened("written") as database:
            database.execute("BEGIN IMMEDIATE")
            database.execute(PUT, (key, math.ceil(expires_at), int(now), entry))
            _remove(database, now, MAX_REMOVED)
            while _used_bytes(database) > self._max_bytes and _remove(database, AT_ANY_TIME, 1):
                pass
            database.execute("COMMIT")

    def close(self) -> None:
        self._file.close()


def _remove(database: sqlite3.Connection, expired_at: float, limit: int) -> int:
    """Remove entries that have expired at a time, the first ones; returns how many."""
    return database.execute(REMOVE, (expired_at, limit)).rowcount


def _used_bytes(database: sqlite3.Connection) -> int:
    names = ("page_count", "freelist_count", "page_size")
    count, free, size = (database.execute(f"PRAGMA {n}").fetchone()[0] for n in names)
    return int((count - free) * size)
