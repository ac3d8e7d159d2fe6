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
"""How much larger the file may become than its entries: what a write frees, the next one uses."""
MAX_READERS = 1024
"""Maximum number of threads that read at once, in all processes."""
PART_BYTES = 4080
"""Maximum size of a value: a page without its header. A larger one would need pages in a row, which
are missing after a while, however many are free."""
HEAD = struct.Struct(">QQI")
"""Begins the first part: when the entry expires, when it was stored, its size."""
PART = struct.Struct(">H")
"""Ends each key of `entries`: the number of the part."""
EXPIRY = struct.Struct(">Q")
"""Begins each key of `expiries`, which are in the order of time."""


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
            self._entries = self._environment.open_db(b"entries")
            self._expiries = self._environment.open_db(b"expiries")

    def get(self, key: str) -> bytes | None:
        name = key.encode()
        with self._reading() as transaction:
            found = transaction.get(_part(name, 0))
            if found is None:
                return None
            first = bytes(found)
            others = (transaction.get(each, b"") for each in _other_parts(name, first))
            return b"".join((first[HEAD.size :], *others))

    def put(self, key: str, entry: bytes, expires_at: float) -> None:
        now = self._clock()
        with self._writing() as transaction:
            self._put(transaction, key.encode(), entry, math.ceil(expires_at), int(now))
            self._remove(transaction, now, MAX_REMOVED)
            while self._used_bytes(transaction) > self._max_bytes:
                if not self._remove(transaction, math.inf, 1):
                    break

    def close(self) -> None:
        self._environment.close()

    @contextmanager
    def _reading(self) -> Iterator[lmdb.Transaction]:
        with _errors("read"), self._environment.begin(self._entries) as transaction:
            yield transaction

    @contextmanager
    def _writing(self) -> Iterator[lmdb.Transaction]:
        with _errors("written"):
            # A process that died while it read would keep pages from being used again.
            self._environment.reader_check()
            with self._environment.begin(write=True) as transaction:
                yield transaction

    def _put(
        self, transaction: lmdb.Transaction, key: bytes, entry: bytes, expires_at: int, now: int
    ) -> None:
        self._delete(transaction, key)
        value = HEAD.pack(expires_at, now, len(entry)) + entry
        for number, start in enumerate(range(0, len(value), PART_BYTES)):
            part = value[start : start + PART_BYTES]
            transaction.put(_part(key, number), part, db=self._entries)
        transaction.put(EXPIRY.pack(expires_at) + key, b"", db=self._expiries)

    def _delete(self, transaction: lmdb.Transaction, key: bytes) -> None:
        found = transaction.pop(_part(key, 0), db=self._entries)
        if found is not None:
            first = bytes(found)
            for part in _other_parts(key, first):
                transaction.delete(part, db=self._entries)
            transaction.delete(first[: EXPIRY.size] + key, db=self._expiries)

    def _remove(self, transaction: lmdb.Transaction, expired_at: float, limit: int) -> int:
        """Remove entries that have expired at a time, the first ones; returns how many."""
        keys: list[bytes] = []
        with transaction.cursor(self._expiries) as cursor:
            for row in map(bytes, cursor.iternext(keys=True, values=False)):
                if EXPIRY.unpack_from(row)[0] > expired_at or len(keys) >= limit:
                    break
                keys.append(row[EXPIRY.size :])
        for key in keys:
            self._delete(transaction, key)
        return len(keys)

    def _used_bytes(self, transaction: lmdb.Transaction) -> int:
        pages = 0
        for db in (self._entries, self._expiries):
            found = transaction.stat(db)
            pages += found["branch_pages"] + found["leaf_pages"] + found["overflow_pages"]
        return pages * self._environment.stat()["psize"]


def _part(key: bytes, number: int) -> bytes:
    return key + PART.pack(number)


def _other_parts(key: bytes, first: bytes) -> Iterator[bytes]:
    """The keys of an entry's parts after the first."""
    size = HEAD.size + HEAD.unpack_from(first)[2]
    return (_part(key, number) for number in range(1, -(-size // PART_BYTES)))


@contextmanager
def _errors(operation: str) -> Iterator[None]:
    try:
        yield
    except (lmdb.Error, OSError, struct.error) as error:
        raise StateUnavailable(f"The cache file could not be {operation}.") from error
