"""Where invocations leave small facts for each other: items under keys, each with an expiry.

SQLite keeps them on one machine, DynamoDB in an account. Which one it is, settings say; what needs
neither imports neither.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from sluice.settings import Settings
else:
    Protocol = object  # it says something to type checkers alone

Item = Mapping[str, str | int]
"""What is kept under one key: texts and whole numbers by name, 400 KB at most (DynamoDB's)."""

MAX_KEYS = 100
"""Of one `get_all`, BatchGetItem's limit.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html"""


class StateStore(Protocol):
    """Items under keys. Both methods may be called from any thread.

    Both raise StateUnavailable when the store cannot do it, in bounded time, and name no value.
    """

    def put(self, key: str, item: Item, expires_at: float) -> None:
        """Keep `item` under `key`, in place of all that was kept there.

        `key` may have 2048 bytes in UTF-8. `expires_at` is Unix time in seconds; fractions are
        rounded up to the next second.
        """

    def get_all(self, keys: Sequence[str]) -> dict[str, Item]:
        """The items of those keys that have one which has not expired.

        `keys` are a handful, MAX_KEYS at most: more raise ValueError. What was put a moment ago
        elsewhere may not be seen yet.
        """


def open_store(settings: Settings, clock: Callable[[], float] = time.time) -> StateStore | None:
    """The store that `settings` name, or None. Nothing is imported or opened before its first use.

    STATE_FILE wins over STATE_TABLE: only one machine has a file.
    """
    if settings.state_file:
        return _OpenedAtFirstUse(lambda: _sqlite(settings.state_file, clock))
    if settings.state_table:
        return _OpenedAtFirstUse(lambda: _dynamodb(settings.state_table, clock))
    return None


def distinct_keys(keys: Sequence[str]) -> list[str]:
    """The keys, each once. Raises ValueError where they are more than `get_all` takes."""
    found = list(dict.fromkeys(keys))
    if len(found) > MAX_KEYS:
        raise ValueError(f"expected at most {MAX_KEYS} keys, found {len(found)}")
    return found


class _OpenedAtFirstUse:
    def __init__(self, opening: Callable[[], StateStore]) -> None:
        self._opening = opening
        self._store: StateStore | None = None

    def put(self, key: str, item: Item, expires_at: float) -> None:
        self._opened().put(key, item, expires_at)

    def get_all(self, keys: Sequence[str]) -> dict[str, Item]:
        return self._opened().get_all(keys)

    def _opened(self) -> StateStore:
        # Two threads at once may open two: neither harms, and the later one stays.
        if self._store is None:
            self._store = self._opening()
        return self._store


def _sqlite(file: str, clock: Callable[[], float]) -> StateStore:
    from sluice.state.sqlite import SqliteState  # noqa: PLC0415 -- 10 ms, on one machine only

    return SqliteState(file, clock)


def _dynamodb(table: str, clock: Callable[[], float]) -> StateStore:
    # 200 ms of start-up, so only for a deployment that has a table, and not before it is used.
    from sluice.state.dynamodb import DynamoDbState  # noqa: PLC0415

    return DynamoDbState(table, clock)
