"""The cache of this machine in SQLite, for the tool: the file that the local stack uses."""

from __future__ import annotations

import sqlite3
from contextlib import suppress

from scripts.cache.entries import Entry, tool_errors
from sluice.cache.sqlite import SqliteCache

ENTRIES = "SELECT length(entry), stored_at, expires_at FROM entries"
CLEAR = "DELETE FROM entries"


class SqliteEntries(SqliteCache):
    """A CacheEntries in a file, which is made if it is missing."""

    def entries(self) -> list[Entry]:
        with tool_errors(str(self._file.path)), self._file.opened("read") as database:
            return [Entry(*row) for row in database.execute(ENTRIES)]

    def clear(self) -> int:
        with tool_errors(str(self._file.path)), self._file.opened("written") as database:
            count = database.execute(CLEAR).rowcount
            with suppress(sqlite3.OperationalError):  # in use: new entries take the free pages
                database.execute("VACUUM")
        return count
