"""`npm run cache` as people and programs see it, on the caches of this machine and on a stage's."""

from __future__ import annotations

import io
import os
from contextlib import closing
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.stub import Stubber

from scripts.access.dynamodb import PAUSES_S
from scripts.access.errors import ToolError
from scripts.cache.__main__ import main
from scripts.cache.dynamodb import MAX_BATCH, DynamoDbEntries
from sluice.access.daily_usage import RequestUsage, usage_change
from sluice.access.usage import Savings, Tokens
from sluice.cache.opening import open_cache
from sluice.settings import read_settings
from tests.scripts.tool_runs import Tool
from tests.scripts.tool_stores import CACHE_TABLE, NOW, opened
from tests.sluice.cache.cache_opening import LARGE

if TYPE_CHECKING:
    from pathlib import Path

    from sluice.cache.opening import OpenedCache

LARGEST = LARGE * 1000
DAY_S = 86_400


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class CacheTool(Tool):
    """The tool on one cache, and that cache as functions open it."""

    def __init__(self, folder: Path, backend: str) -> None:
        self.state_file, self.backend = str(folder / "state.sqlite3"), backend
        environ = {**os.environ, "STATE_FILE": self.state_file, "CACHE_BACKEND": backend}
        place = ("--stage", "dev") if backend == "DYNAMODB" else ()
        super().__init__(main, folder, environ, *place)

    def opened(self, now: float = NOW) -> OpenedCache:
        state = {"CACHE_TABLE": CACHE_TABLE} if self.place else {"STATE_FILE": self.state_file}
        environ = {"CACHE_CHAT_COMPLETION": "true", "CACHE_BACKEND": self.backend, **state}
        cache = open_cache(read_settings(environ), os.environ, lambda: now)
        assert cache is not None
        return cache

    def keep(self, key: str, entry: bytes, stored_at: float, expires_at: float) -> None:
        with closing(self.opened(stored_at)) as cache:
            cache.put(key, entry, expires_at)


@pytest.fixture(params=["SQLITE", "LMDB", "DYNAMODB"])
def tool(request: pytest.FixtureRequest, tmp_path: Path) -> CacheTool:
    if request.param == "DYNAMODB":
        request.getfixturevalue("cache_table")
    return CacheTool(tmp_path, request.param)


@pytest.fixture
def filled(tool: CacheTool) -> CacheTool:
    """Two answers that count, and an expired one."""
    tool.keep("a", LARGEST, NOW - 3600, NOW + 60)
    tool.keep("b", b"five!", NOW - 60, NOW + DAY_S)
    tool.keep("c", b"expired", NOW - DAY_S, NOW)
    return tool


def test_stats_count_what_is_kept(filled: CacheTool) -> None:
    found = filled.document("stats")
    place = found.pop("place")
    assert found == {
        "backend": filled.backend,
        "entries": 2,
        "expired": 1,
        "bytes": len(LARGEST) + 5 + 7,
        "oldest": "2027-01-15T07:00:00Z",
        "newest": "2027-01-15T07:59:00Z",
        "usage": {
            "since": "2026-12-17",
            "requests": 0,
            "cache_hits": 0,
            "saved_tokens": 0,
            "saved_usd": 0.0,
        },
    }
    code, out, _ = filled.run("stats")
    assert (code, out) == (
        0,
        f"Answers kept in {place} ({filled.backend})\n\n"
        "entries   2\nexpired   1\nbytes     1,024,012\n"
        "oldest    2027-01-15T07:00:00Z\nnewest    2027-01-15T07:59:00Z\n\n"
        "No request was counted in the last 30 days: docs/keys.md says which ones are counted.\n",
    )


def test_stats_tell_what_the_cache_has_saved(
    tool: CacheTool, request: pytest.FixtureRequest
) -> None:
    store = opened("dynamodb" if tool.place else "sqlite", request)
    saved = Savings(1200, 2_500_000)
    for days_ago, saving in ((0, saved), (0, None), (29, saved), (30, saved)):
        used = RequestUsage(Tokens(7, 0, 7), 1, saving)
        assert store.change_all([usage_change("a", "a", "m", used, NOW - days_ago * DAY_S)])
    assert tool.document("stats")["usage"] == {
        "since": "2026-12-17",
        "requests": 3,
        "cache_hits": 2,
        "saved_tokens": 2400,
        "saved_usd": 5.0,
    }
    assert tool.run("stats")[1].endswith(
        "Since 2026-12-17, of 3 requests that a record or a rate limit counts\n\n"
        "hits      2 (66.7%)\nsaved     2,400 tokens, 5.000000 USD\n"
    )


def test_empty_cache_has_stats_and_can_be_cleared(tool: CacheTool) -> None:
    found = tool.document("stats")
    assert [found[name] for name in ("entries", "expired", "bytes")] == [0, 0, 0]
    assert (found["oldest"], found["newest"]) == (None, None)
    assert "oldest    -\n" in tool.run("stats")[1]
    assert tool.document("clear", "--yes")["removed"] == 0


def test_clear_removes_all_answers_and_says_how_many(filled: CacheTool) -> None:
    code, out, err = filled.run("clear", "--yes")
    assert (code, out, err) == (0, "Removed 3 answers.\n", "")
    with closing(filled.opened()) as cache:
        assert [cache.get(key) for key in "abc"] == [None] * 3
    assert filled.document("stats")["bytes"] == 0
    filled.keep("d", b"new", NOW, NOW + 60)
    assert filled.run("clear", "--yes")[1] == "Removed 1 answer.\n"


def test_clear_asks_first(filled: CacheTool) -> None:
    for said, code in (("n\n", 1), ("", 1), ("Y\n", 0)):
        found = filled.run("clear", stdin=Terminal(said))
        assert found[0] == code
        assert found[2].startswith("Remove all answers kept in ")
        assert found[2].endswith(
            "? [y/N] " + ("" if code == 0 else "cache: Nothing was removed.\n")
        )
    assert filled.document("stats")["entries"] == 0


def test_clear_needs_a_yes_where_nobody_is_there_to_ask(filled: CacheTool) -> None:
    code, out, err = filled.run("clear")
    assert (code, out) == (1, "")
    assert err.endswith("Confirm it: npm run cache -- clear --yes\n")
    assert filled.document("stats")["entries"] == 2


def test_clear_takes_many_answers_in_batches(cache_table: str, tmp_path: Path) -> None:
    tool, count = CacheTool(tmp_path, "DYNAMODB"), MAX_BATCH * 2 + 3
    for number in range(count):
        tool.keep(str(number), b"entry", NOW, NOW + 60)
    assert tool.document("clear", "--yes")["removed"] == count
    with closing(boto3.client("dynamodb")) as client:
        assert client.scan(TableName=cache_table)["Count"] == 0


@pytest.mark.parametrize(
    ("arguments", "backend", "problem"),
    [
        (["stats"], "MEMORY", "CACHE_BACKEND=MEMORY keeps answers in each function alone."),
        (["clear", "--yes"], "RocksDB", "Only one process may open ROCKSDB"),
        (["stats", "--region", "eu-west-1"], "SQLITE", "--region needs --stage"),
        (
            ["stats", "--yes"],
            "SQLITE",
            "Unknown option or argument. All options: npm run cache -- ",
        ),
        (["empty"], "SQLITE", "command: must be one of stats, clear. All options: npm run cache"),
    ],
)
def test_what_cannot_be_done_is_said(
    tmp_path: Path, arguments: list[str], backend: str, problem: str
) -> None:
    code, out, err = CacheTool(tmp_path, backend).run(*arguments)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert problem in err


def test_deployments_cache_needs_its_stage(tmp_path: Path) -> None:
    tool = CacheTool(tmp_path, "DYNAMODB")
    tool.place = ()
    code, _, err = tool.run("stats")
    assert (code, "CACHE_BACKEND must be SQLITE, LMDB or MEMORY" in err) == (1, False)
    assert "Name it with --stage." in err


@pytest.mark.parametrize("backend", ["SQLITE", "LMDB"])
def test_damaged_file_is_named_with_what_to_do(tmp_path: Path, backend: str) -> None:
    tool = CacheTool(tmp_path, backend)
    suffix = {"SQLITE": "sqlite3", "LMDB": "lmdb"}[backend]
    file = tmp_path / f"state-cache.{suffix}"
    file.write_text("no database, but long enough to look like one" * 200)
    for command in (["stats"], ["clear", "--yes"]):
        code, _, err = tool.run(*command)
        assert code == 1
        assert str(file) in err
        assert "remove the file while nothing runs" in err


@pytest.mark.usefixtures("table")
def test_missing_table_and_missing_permission_say_what_to_check(tmp_path: Path) -> None:
    tool = CacheTool(tmp_path, "DYNAMODB")
    tool.place = ("--stage", "prod")
    problem = tool.run("stats")[2]
    assert "The table sluice-prod-cache in us-east-1 did not answer Scan" in problem
    assert "that the stage is deployed with CACHE_CHAT_COMPLETION=true." in problem


class Busy:
    """A session whose client leaves items out, a number of times."""

    region_name = "us-east-1"

    def __init__(self, times: int) -> None:
        self._client = boto3.client("dynamodb", region_name="us-east-1")
        stub = Stubber(self._client)
        item = {"id": {"S": "a"}, "size": {"N": "1"}}
        left = {CACHE_TABLE: [{"DeleteRequest": {"Key": {"id": {"S": "a"}}}}]}
        stub.add_response("scan", {"Items": [item]})
        for number in range(times + 1):
            found = {"UnprocessedItems": left} if number < times else {}
            stub.add_response("batch_write_item", found, {"RequestItems": left})
        stub.activate()

    def client(self, *_names: str, **_options: object) -> object:
        return self._client


def test_items_that_were_left_out_are_deleted_again(account: dict[str, str]) -> None:
    assert account
    pauses: list[float] = []
    assert DynamoDbEntries(CACHE_TABLE, Busy(2), lambda: NOW, pauses.append).clear() == 1
    assert pauses == list(PAUSES_S[:2])
    with pytest.raises(ToolError, match=r"is busy\. Run the command again"):
        DynamoDbEntries(CACHE_TABLE, Busy(len(PAUSES_S) + 1), lambda: NOW, pauses.append).clear()
