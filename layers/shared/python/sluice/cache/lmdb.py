"""The cache of one machine in an LMDB file, which many processes share; needs the package `lmdb`.

https://lmdb.readthedocs.io/
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import lmdb

from sluice.cache.store import MAX_KEPT_BYTES, MAX_REMOVED
from sluice.errors import StateUnavailable

MAP_FACTOR = 2
"""How much larger the file may become than its entries: a large one needs pages in a row, which may
be missing between small ones."""
MAX_READERS = 1024
"""Maximum number of threads that read at once, in all processes."""
TIMES = struct.Struct(">QQ")
"""Begins each value: when it expires, when it was stored. Big-endian, so that keys of _expiries
sort by time."""


class LmdbCache:
    """A CacheStore in the file at `path`. What expires first makes room for new entries.

    clock: Unix time. max_bytes: of the pages in use. A process opens a file once at a time.
    """

    def __init__(
        self, path: str, clock: Callable[[], float], max_bytes: int = MAX_KEPT_BYTES
    ) -> None:
        self._clock, self._max_bytes = clock, max_bytes
        with _errors("opened"):
            Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._environment = lmdb.open(
                path,
                map_size=max_bytes * MAP_FACTOR,
                subdir=False,
                mode=0o600,
                max_dbs=2,
                max_readers=MAX_READERS,
                metasync=False,  # a machine that dies loses the last entries, never the file
            )
            self._environment.reader_check()  # processes that died while they read
            self._entries = self._environment.open_db(b"entries")
            self._expiries = self._environment.open_db(b"expiries")

    def get(self, key: str) -> bytes | None:
        with _errors("read"), self._environment.begin(self._entries, buffers=True) as transaction:
            value = transaction.get(key.encode())
            return None if value is None else bytes(value[TIMES.size :])

    def put(self, key: str, entry: bytes, expires_at: float) -> None:
        now = self._clock()
        try:
            with _errors("written"), self._environment.begin(write=True) as transaction:
                self._put(transaction, key.encode(), entry, math.ceil(expires_at), int(now))
                self._remove(transaction, now, MAX_REMOVED)
                while self._used_bytes(transaction) > self._max_bytes:
                    self._remove(transaction, math.inf, 1)
        except StateUnavailable as error:
            if isinstance(error.__cause__, lmdb.MapFullError):
                self._make_room()
            raise

    def close(self) -> None:
        self._environment.close()

    def _put(
        self, transaction: lmdb.Transaction, key: bytes, entry: bytes, expires_at: int, now: int
    ) -> None:
        self._delete(transaction, key)
        transaction.put(key, TIMES.pack(expires_at, now) + entry, db=self._entries)
        transaction.put(_expiry(expires_at, key), b"", db=self._expiries)

    def _delete(self, transaction: lmdb.Transaction, key: bytes) -> None:
        value = transaction.pop(key, db=self._entries)
        if value is not None:
            expires_at, _ = TIMES.unpack_from(value)
            transaction.delete(_expiry(expires_at, key), db=self._expiries)

    def _remove(self, transaction: lmdb.Transaction, expired_at: float, limit: int) -> None:
        """Remove entries that have expired at a time, the first ones."""
        keys: list[bytes] = []
        with transaction.cursor(self._expiries) as cursor:
            for row in cursor.iternext(keys=True, values=False):
                expires_at, _ = TIMES.unpack_from(row)
                if expires_at > expired_at or len(keys) >= limit:
                    break
                keys.append(bytes(row[TIMES.size :]))
        for key in keys:
            self._delete(transaction, key)

    def _make_room(self) -> None:
        """Pages that are free in one transaction can be used in the next one."""
        with _errors("written"), self._environment.begin(write=True) as transaction:
            self._remove(transaction, math.inf, MAX_REMOVED)

    def _used_bytes(self, transaction: lmdb.Transaction) -> int:
        pages = 0
        for db in (self._entries, self._expiries):
            found = transaction.stat(db)
            pages += found["branch_pages"] + found["leaf_pages"] + found["overflow_pages"]
        return pages * self._environment.stat()["psize"]


def _expiry(expires_at: int, key: bytes) -> bytes:
    return TIMES.pack(expires_at, 0) + key


@contextmanager
def _errors(operation: str) -> Iterator[None]:
    try:
        yield
    except (lmdb.Error, OSError) as error:
        raise StateUnavailable(f"The cache file could not be {operation}.") from error
