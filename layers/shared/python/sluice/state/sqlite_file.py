"""A SQLite file that any number of processes share.

https://www.sqlite.org/wal.html
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from sluice.errors import StateUnavailable

BUSY_TIMEOUT_S = 5.0  # writers take turns of under 1 ms; with 16 at once, one waited 80 ms


class SqliteFile:
    """The file at `path`. A missing file is made, with its folder, by the statements of `schema`.

    Each operation opens the file: 1 ms for a write, 0.3 ms for a look. So there is nothing to lock
    between threads, nothing to close, and a removed file does no harm. name: for errors.
    """

    def __init__(self, path: str, name: str, schema: str) -> None:
        self.path = Path(path)
        self._name = name
        self._schema = schema

    @contextmanager
    def opened(
        self, operation: str, busy_timeout_s: float = BUSY_TIMEOUT_S
    ) -> Iterator[sqlite3.Connection]:
        """A connection without transactions of its own. Raises StateUnavailable.

        operation: what was to be done with the file, for the error: "read" or "written".
        """
        try:
            self._make()
            with _connection(self.path, busy_timeout_s) as database:
                # A process that dies loses nothing. A machine that dies loses the last moments, and
                # its connections with them. FULL would wait for the disk.
                database.execute("PRAGMA synchronous = NORMAL")
                yield database
        except (sqlite3.Error, OSError) as error:
            raise StateUnavailable(f"The {self._name} could not be {operation}.") from error

    def _make(self) -> None:
        if self.path.exists():
            return
        # Made elsewhere and linked: two processes that switch one file to WAL get "database is
        # locked" at any timeout, and neither may replace the file that the other already uses.
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with TemporaryDirectory(dir=self.path.parent) as folder:
            # SQLite would apply the umask. Its companion files get the file's own mode.
            file = Path(folder) / self.path.name
            file.touch(0o600)
            with _connection(file, BUSY_TIMEOUT_S) as database:
                database.execute("PRAGMA journal_mode = WAL")  # readers wait for no writer
                database.executescript(self._schema)
            with suppress(FileExistsError):
                self.path.hardlink_to(file)


def _connection(path: Path, busy_timeout_s: float) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None))
