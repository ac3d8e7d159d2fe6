"""The state store of one machine: a SQLite file that any number of processes share."""

from __future__ import annotations

import json
import math
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from sluice.state.changes import Change, Outcome, outcome_of
from sluice.state.item import Item
from sluice.state.sqlite_file import SqliteFile
from sluice.state.store import distinct_keys

MAX_REMOVED = 50  # expired rows that one put removes: more than it adds, in under 1 ms

SCHEMA = """
CREATE TABLE state (id TEXT PRIMARY KEY, item TEXT, expires_at INTEGER) WITHOUT ROWID;
CREATE INDEX state_expires_at ON state (expires_at);
"""
PUT = "INSERT OR REPLACE INTO state (id, item, expires_at) VALUES (?, ?, ?)"
GET = "SELECT item FROM state WHERE id = ?"
FOR_GOOD = 1 << 62  # an expiry that never comes
REMOVE_EXPIRED = """
DELETE FROM state WHERE id IN
  (SELECT id FROM state WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)
"""


class SqliteState:
    """A StateStore in the file at `path`. A missing file is made, with its folder."""

    def __init__(self, path: str, clock: Callable[[], float] = time.time) -> None:
        self._file = SqliteFile(path, "state file", SCHEMA)
        self._clock = clock

    def put(self, key: str, item: Item, expires_at: float) -> None:
        row = (key, json.dumps(dict(item)), math.ceil(expires_at))
        with self._opened("written") as database:
            database.execute("BEGIN IMMEDIATE")
            database.execute(PUT, row)
            database.execute(REMOVE_EXPIRED, (self._clock(), MAX_REMOVED))
            database.execute("COMMIT")

    def get_all(self, keys: Sequence[str], *, is_consistent: bool = True) -> dict[str, Item]:
        del is_consistent  # every read is
        names = distinct_keys(keys)
        if not names:
            return {}
        # Only question marks are joined here.
        marks = ", ".join("?" * len(names))
        query = f"SELECT id, item FROM state WHERE id IN ({marks}) AND expires_at > ?"  # noqa: S608
        with self._opened("read") as database:
            rows = database.execute(query, (*names, self._clock())).fetchall()
        return {key: json.loads(item) for key, item in rows}

    def change(self, change: Change) -> Outcome:
        (outcome,) = self._changed([change])
        return outcome

    def change_all(self, changes: Sequence[Change]) -> bool:
        """Change several items, each another one, if all guards of all hold; otherwise none."""
        return all(outcome.was_applied for outcome in self._changed(changes))

    def close(self) -> None:
        self._file.close()

    def _changed(self, changes: Sequence[Change]) -> list[Outcome]:
        with self._opened("written") as database:
            database.execute("BEGIN IMMEDIATE")
            outcomes = [outcome_of(change, _stored(database, change.key)) for change in changes]
            if all(outcome.was_applied for outcome in outcomes):
                for change, outcome in zip(changes, outcomes, strict=True):
                    expires_at = change.expires_at
                    until = FOR_GOOD if expires_at is None else math.ceil(expires_at)
                    database.execute(PUT, (change.key, json.dumps(outcome.item), until))
            database.execute("COMMIT")
        return outcomes

    def _opened(self, operation: str) -> AbstractContextManager[sqlite3.Connection]:
        return self._file.opened(operation)


def _stored(database: sqlite3.Connection, key: str) -> Item:
    row = database.execute(GET, (key,)).fetchone()
    item: Item = json.loads(row[0]) if row else {}
    return item
