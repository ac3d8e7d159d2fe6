"""Which cache the tool works on: a deployment's, or the file of the local stack."""

from __future__ import annotations

import argparse
from typing import NamedTuple

from local.project.environment import UserSettings, state_file
from scripts.access.errors import ToolError
from scripts.access.place import (
    DEFAULT_REGION,
    cache_table_of,
    check_region,
    session_of,
    table_of,
    user_settings,
)
from scripts.access.shell import Shell
from scripts.access.sqlite import SqliteItems
from scripts.access.store import ToolStore
from scripts.cache.entries import CacheEntries
from sluice.cache.opening import cache_file
from sluice.settings import read_settings

NO_PLACE = {
    "MEMORY": "CACHE_BACKEND=MEMORY keeps answers in each function alone. Stop the functions to"
    " remove them.",
    "DYNAMODB": "CACHE_BACKEND=DYNAMODB keeps answers in a deployment. Name it with --stage.",
}


class Place(NamedTuple):
    """name: where the cache is, for people. counts: the store in which its hits are counted."""

    cache: CacheEntries
    counts: ToolStore
    backend: str
    name: str


def open_place(chosen: argparse.Namespace, shell: Shell) -> Place:
    """The cache that the options name. Raises ToolError, ConfigurationError, SettingsError."""
    check_region(chosen)
    user = user_settings(chosen.stage, shell)
    if not chosen.stage:
        return _on_this_machine(user, shell)
    from scripts.access.dynamodb import DynamoDbItems  # noqa: PLC0415 -- 0.3 s for boto3
    from scripts.cache.dynamodb import DynamoDbEntries  # noqa: PLC0415 -- the same

    session = session_of(user, chosen.region or DEFAULT_REGION)
    table = cache_table_of(chosen.stage)
    entries = DynamoDbEntries(table, session, shell.clock)
    counts = DynamoDbItems(table_of(chosen.stage), session, shell.clock)
    return Place(entries, counts, "DYNAMODB", f"the table {table}")


def _on_this_machine(user: UserSettings, shell: Shell) -> Place:
    state, clock = state_file(user, shell.folder), shell.clock
    named = user.get("CACHE_BACKEND")
    if reason := NO_PLACE.get(named.strip().upper()):
        raise ToolError(reason)
    on = {"CACHE_CHAT_COMPLETION": "true", "STATE_FILE": state, "CACHE_BACKEND": named}
    backend = read_settings(on).cache_backend
    counts = SqliteItems(state, clock)
    if backend == "SQLITE":
        from scripts.cache.sqlite import SqliteEntries  # noqa: PLC0415 -- one of two

        path = cache_file(state, ".sqlite3")
        return Place(SqliteEntries(path, clock), counts, backend, path)
    from scripts.cache.lmdb import LmdbEntries  # noqa: PLC0415 -- its package may be missing

    path = cache_file(state, ".lmdb")
    return Place(LmdbEntries(path, clock), counts, backend, path)
