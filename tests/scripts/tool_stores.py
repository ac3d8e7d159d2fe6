"""The two stores that the tools work on, as tests open them."""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest

from scripts.access.dynamodb import DynamoDbItems
from scripts.access.sqlite import SqliteItems
from scripts.access.store import ToolStore

TABLE, CACHE_TABLE = "sluice-dev-state", "sluice-dev-cache"
NOW = 1_800_000_000.0  # 2027-01-15 08:00:00 UTC
CALLS = threading.Lock()
BOTH = ("sqlite", "dynamodb")


def opened(kind: str, request: pytest.FixtureRequest, now: float = NOW) -> ToolStore:
    """The store of this kind once more, as another process would open it."""
    if kind == "sqlite":
        folder: Path = request.getfixturevalue("tmp_path")
        return SqliteItems(str(folder / "state.sqlite3"), lambda: now)
    request.getfixturevalue("table")
    return DynamoDbItems(TABLE, session(), lambda: now)


@cache
def session() -> Any:
    """boto3's, whose calls are made one after the other. One for all tests: it is slow to make.

    moto undoes a cancelled transaction with all that others have written meanwhile, and DynamoDB
    does not.
    """
    made = boto3.Session()
    made.events.register("before-call.dynamodb", lambda **_: CALLS.acquire() and None)
    for end in ("after-call.dynamodb", "after-call-error.dynamodb"):
        made.events.register(end, lambda **_: CALLS.release())
    return made
