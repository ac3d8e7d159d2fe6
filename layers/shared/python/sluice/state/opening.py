"""Opens the state store that the settings name. Nothing is imported before its first use."""

from __future__ import annotations

import time

from sluice.trace import Calls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sluice.settings import Settings
    from sluice.state.changes import Change, Outcome
    from sluice.state.item import Item
    from sluice.state.store import StateStore


def open_store(
    settings: Settings, environ: Mapping[str, str], clock: Callable[[], float] = time.time
) -> OpenedAtFirstUse | None:
    """The store that `settings` name, or None. environ: where AWS is, and who signs.

    STATE_FILE wins over STATE_TABLE: a file exists on one machine only.
    """
    if settings.state_file:
        return OpenedAtFirstUse(lambda: _sqlite(settings.state_file, clock))
    if settings.state_table:
        return OpenedAtFirstUse(lambda: _dynamodb(settings.state_table, environ, clock))
    return None


class OpenedAtFirstUse:
    """A StateStore, and when it was last used."""

    def __init__(self, opening: Callable[[], StateStore]) -> None:
        self.calls = Calls("store")
        self._opening = opening
        self._store: StateStore | None = None

    def put(self, key: str, item: Item, expires_at: float) -> None:
        with self.calls.begin("PutItem"):
            self._opened().put(key, item, expires_at)

    def get_all(self, keys: Sequence[str], *, is_consistent: bool = False) -> dict[str, Item]:
        with self.calls.begin("BatchGetItem"):
            return self._opened().get_all(keys, is_consistent=is_consistent)

    def change(self, change: Change) -> Outcome:
        with self.calls.begin("UpdateItem"):
            return self._opened().change(change)

    def close(self) -> None:
        if self._store is not None:
            self._store.close()

    def _opened(self) -> StateStore:
        # Two threads may open two at once. Neither does harm, and the later one stays.
        if self._store is None:
            self._store = self._opening()
        return self._store


def _sqlite(file: str, clock: Callable[[], float]) -> StateStore:
    from sluice.state.sqlite import SqliteState  # noqa: PLC0415 -- 10 ms, on one machine only

    return SqliteState(file, clock)


def _dynamodb(table: str, environ: Mapping[str, str], clock: Callable[[], float]) -> StateStore:
    from sluice.state.dynamodb import DynamoDbState  # noqa: PLC0415 -- clients do not wait for it

    return DynamoDbState(table, environ, clock)
