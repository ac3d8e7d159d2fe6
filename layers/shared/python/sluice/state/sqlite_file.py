"""A SQLite file that any number of processes share.

https://www.sqlite.org/wal.html
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from weakref import finalize

from sluice.errors import StateUnavailable
from sluice.named_tuple import NamedTuple

BUSY_TIMEOUT_S = 5.0  # writers take turns of under 1 ms; with 16 at once, one waited 80 ms


class SqliteFile:
    """The file at `path`. A missing file is made, with its folder, by the statements of `schema`.

    One connection is kept: to open the file takes longer than most operations. A file that was
    removed or replaced is opened anew. name: for errors.
    """

    def __init__(self, path: str, name: str, schema: str) -> None:
        self.path = Path(path)
        self._name = name
        self._schema = schema
        self._lock = Lock()
        self._kept: _Kept | None = None
        self._busy_timeout_s = BUSY_TIMEOUT_S

    @contextmanager
    def opened(
        self, operation: str, busy_timeout_s: float = BUSY_TIMEOUT_S
    ) -> Iterator[sqlite3.Connection]:
        """A connection without transactions of its own, for this thread alone.

        operation: what was to be done with the file, for the error: "read" or "written". Raises
        StateUnavailable; what was not committed is undone.
        """
        try:
            with self._lock:
                database = self._connection(busy_timeout_s)
                try:
                    yield database
                except BaseException:
                    self._close()
                    raise
        except (sqlite3.Error, OSError) as error:
            raise StateUnavailable(f"The {self._name} could not be {operation}.") from error

    def close(self) -> None:
        """Close the connection; the next operation opens another one."""
        with self._lock:
            self._close()

    def _connection(self, busy_timeout_s: float) -> sqlite3.Connection:
        if self._kept is None or self._kept.file != _identity(self.path):
            self._close()
            self._make()
            file = _identity(self.path)  # before it is opened: one that is replaced is opened again
            database = _connect(self.path, busy_timeout_s)
            self._kept = _Kept(database, file, finalize(self, database.close))
            # A process that dies loses nothing. A machine that dies loses the last moments, and
            # its connections with them. FULL would wait for the disk.
            database.execute("PRAGMA synchronous = NORMAL")
            self._busy_timeout_s = busy_timeout_s
        if busy_timeout_s != self._busy_timeout_s:
            self._kept.database.execute(f"PRAGMA busy_timeout = {int(busy_timeout_s * 1000)}")
            self._busy_timeout_s = busy_timeout_s
        return self._kept.database

    def _close(self) -> None:
        if self._kept is not None:
            self._kept.end()
            self._kept = None

    def _make(self) -> None:
        if self.path.exists():
            return
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(self.path.parent), TemporaryDirectory(dir=self.path.parent) as folder:
            if self.path.exists():
                return
            for companion in ("-wal", "-shm"):  # of a removed file: they would become this one's
                self.path.with_name(self.path.name + companion).unlink(missing_ok=True)
            # SQLite would apply the umask. Its companion files get the file's own mode.
            file = Path(folder) / self.path.name
            file.touch(0o600)
            with closing(_connect(file, BUSY_TIMEOUT_S)) as database:
                database.execute("PRAGMA journal_mode = WAL")  # readers wait for no writer
                database.executescript(self._schema)
            # Whole, because two processes that switch one file to WAL get "database is locked".
            file.rename(self.path)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time: which of several makes the file."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class _Kept(NamedTuple):
    """A connection.

    file: what it has open, see _identity. end: closes it; called when its SqliteFile is gone.
    """

    database: sqlite3.Connection
    file: tuple[int, int] | None
    end: finalize[..., SqliteFile]


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells a file from a later one at its path; None if there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 -- for each operation
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _connect(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    return sqlite3.connect(
        path, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False
    )
