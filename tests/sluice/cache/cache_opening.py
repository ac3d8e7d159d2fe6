"""How the tests of the caches open them, and when."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from sluice.cache.dynamodb import DynamoDbCache
from sluice.cache.lmdb import LmdbCache
from sluice.cache.memory import MemoryCache
from sluice.cache.opening import OpenedCache
from sluice.cache.sqlite import SqliteCache
from tests.sluice.state.state_opening import NOW_ALWAYS, PATIENT, TABLE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sluice.cache.store import CacheStore

LARGE = bytes(range(256)) * 4
"""A kilobyte, for entries of any size."""


class Caches:
    """Opens caches in the file `file`, in moto's table, and in memory; `close` closes them."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._opened = ExitStack()

    def open(self, backend: str, clock: Callable[[], float] = NOW_ALWAYS) -> OpenedCache:
        cache = OpenedCache(lambda: self._store(backend, clock))
        return self._opened.enter_context(closing(cache))

    def close(self) -> None:
        self._opened.close()

    def _store(self, backend: str, clock: Callable[[], float]) -> CacheStore:
        if backend == "MEMORY":
            return MemoryCache()
        if backend == "DYNAMODB":
            return DynamoDbCache(TABLE, os.environ, clock, PATIENT, PATIENT.total_s)
        kind = SqliteCache if backend == "SQLITE" else LmdbCache
        return kind(str(self._file), clock)
