"""The file behind the state and the cache; test_sqlite and test_files hold what both do with it."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from sluice.state.sqlite_file import SqliteFile

if TYPE_CHECKING:
    from pathlib import Path

COUNT = "SELECT count(*) FROM rows"


def test_what_was_not_committed_is_undone(file: Path) -> None:
    def breaks_off(opened: SqliteFile) -> None:
        with opened.opened("written") as database:
            database.execute("BEGIN IMMEDIATE")
            database.execute("INSERT INTO rows VALUES (1)")
            raise KeyboardInterrupt

    with (
        closing(SqliteFile(str(file), "file", "CREATE TABLE rows (number INTEGER)")) as one,
        closing(SqliteFile(str(file), "file", "")) as other,
    ):
        with pytest.raises(KeyboardInterrupt):
            breaks_off(one)
        for each in (one, other):
            with each.opened("read") as database:
                assert database.execute(COUNT).fetchone() == (0,)
        with other.opened("written", 0.0) as database:  # the lock is free, too
            database.execute("INSERT INTO rows VALUES (2)")
