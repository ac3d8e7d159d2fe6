"""Opens the cache that the settings name. Nothing is imported before its first use."""

from __future__ import annotations

import time
from _thread import allocate_lock  # `threading` takes 1 ms to import

from sluice.cache.store import MAX_ENTRY_BYTES
from sluice.errors import SettingsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sluice.cache.store import CacheStore
    from sluice.settings import Settings


def open_cache(
    settings: Settings, environ: Mapping[str, str], clock: Callable[[], float] = time.time
) -> OpenedCache | None:
    """The cache that `settings` name, or None if answers are not to be kept.

    environ: where AWS is, and who signs. clock: Unix time. Raises SettingsError.
    """
    if not settings.cache_chat_completion:
        return None
    backend, state_file, table = settings.cache_backend, settings.state_file, settings.cache_table
    if backend == "MEMORY":
        return OpenedCache(_memory)
    if backend == "DYNAMODB":
        if not table:
            raise SettingsError("CACHE_TABLE", "must be set for CACHE_BACKEND=DYNAMODB")
        return OpenedCache(lambda: _dynamodb(table, environ, clock))
    if backend == "LMDB":
        return OpenedCache(lambda: _lmdb(cache_file(state_file, ".lmdb"), clock))
    return OpenedCache(lambda: _sqlite(cache_file(state_file, ".sqlite3"), clock))


def cache_file(state_file: str, suffix: str) -> str:
    """The cache's file: next to the state's, so that two stacks of one folder have their own."""
    folder, slash, name = state_file.rpartition("/")
    return f"{folder}{slash}{name.rpartition('.')[0] or name}-cache{suffix}"


class OpenedCache:
    """A CacheStore that is opened at its first use."""

    def __init__(self, opening: Callable[[], CacheStore]) -> None:
        self._opening = opening
        self._lock = allocate_lock()
        self._store: CacheStore | None = None

    def get(self, key: str) -> bytes | None:
        return self._opened().get(key)

    def put(self, key: str, entry: bytes, expires_at: float) -> None:
        if len(entry) <= MAX_ENTRY_BYTES:
            self._opened().put(key, entry, expires_at)

    def close(self) -> None:
        with self._lock:
            if self._store is not None:
                self._store.close()
                self._store = None

    def _opened(self) -> CacheStore:
        with self._lock:
            if self._store is None:
                self._store = self._opening()
            return self._store


def _memory() -> CacheStore:
    from sluice.cache.memory import MemoryCache  # noqa: PLC0415 -- few use it

    return MemoryCache()


def _sqlite(file: str, clock: Callable[[], float]) -> CacheStore:
    from sluice.cache.sqlite import SqliteCache  # noqa: PLC0415 -- 10 ms, on one machine only

    return SqliteCache(file, clock)


def _lmdb(file: str, clock: Callable[[], float]) -> CacheStore:
    from sluice.cache.lmdb import LmdbCache  # noqa: PLC0415 -- on one machine only

    return LmdbCache(file, clock)


def _dynamodb(table: str, environ: Mapping[str, str], clock: Callable[[], float]) -> CacheStore:
    from sluice.cache.dynamodb import DynamoDbCache  # noqa: PLC0415 -- clients do not wait for it

    return DynamoDbCache(table, environ, clock)
