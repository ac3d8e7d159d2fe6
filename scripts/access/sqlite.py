"""The state store of this machine, for tools: the file that the local stack uses."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from scripts.access.errors import ToolError
from sluice.errors import StateUnavailable
from sluice.state.item import Item
from sluice.state.sqlite import SqliteState

ITEMS = """
SELECT id, item FROM state WHERE substr(id, 1, ?) = ? AND expires_at > ? ORDER BY id
"""


class SqliteItems(SqliteState):
    """A ToolStore in a SQLite file, which is made if it is missing."""

    def items(self, prefix: str) -> dict[str, Item]:
        with self._opened("read") as database:
            rows = database.execute(ITEMS, (len(prefix), prefix, self._clock())).fetchall()
        return {key: json.loads(item) for key, item in rows}

    @contextmanager
    def _opened(self, operation: str) -> Iterator[sqlite3.Connection]:
        try:
            with super()._opened(operation) as database:
                yield database
        except StateUnavailable as error:
            raise ToolError(
                f"The state file {self._file.path} could not be {operation} ({error.__cause__})."
                " Check STATE_FILE, or remove the file if it is damaged."
            ) from error
