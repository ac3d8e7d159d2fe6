"""One contract, two stores for tools: a SQLite file, and DynamoDB as moto's server plays it."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.stub import Stubber

from scripts.access.dynamodb import PAUSES_S, DynamoDbItems
from scripts.access.errors import ToolError
from scripts.access.sqlite import SqliteItems
from scripts.access.store import ToolStore, read_all
from sluice.state.changes import AtMost, Change, Equals, Present
from sluice.state.dynamodb import DynamoDbState
from sluice.state.sqlite import SqliteState
from tests.scripts.tool_stores import BOTH, NOW, TABLE, opened

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sluice.state.store import StateStore


LATER = NOW + 60


@pytest.fixture(params=BOTH)
def open_store(request: pytest.FixtureRequest) -> Callable[..., ToolStore]:
    return lambda now=NOW: opened(request.param, request, now)


def put(key: str, expires_at: float | None = None, **values: str | int) -> Change:
    return Change(key, expires_at, put=values)


def test_items_have_a_prefix_in_the_order_of_their_keys(
    open_store: Callable[..., ToolStore],
) -> None:
    store = open_store()
    keys = ["usage 2", "usage 1", "usages", "Usage 1", "alias x", "usage % _ '"]
    assert store.change_all([put(key, name=key) for key in keys])
    assert list(open_store().items("usage ")) == ["usage % _ '", "usage 1", "usage 2"]
    assert open_store().items("usage 1") == {"usage 1": {"name": "usage 1"}}
    assert open_store().items("key ") == {}


def test_expired_items_are_absent(open_store: Callable[..., ToolStore]) -> None:
    open_store().change_all([put("a for good", n=1), put("a while", LATER, n=2)])
    for now, keys in ((LATER - 1, ["a for good", "a while"]), (LATER, ["a for good"])):
        assert list(open_store(now).items("a ")) == keys
        assert list(open_store(now).get_all(["a for good", "a while", "a third"])) == keys


def test_all_values_and_names_come_back(open_store: Callable[..., ToolStore]) -> None:
    values: dict[str, str | int] = {
        "text": "häß 🙂 '\" :x #y",
        "empty": "",
        "l 0a": "[1]",
        "id ": -(2**62),
        "a b": 0,
    }
    assert open_store().change_all([Change("key", None, put=values)])
    assert open_store().get_all(["key"]) == {"key": values}


def test_any_number_of_items_is_read(open_store: Callable[..., ToolStore]) -> None:
    keys = [f"alias {number:03}" for number in range(150)]
    store = open_store()
    assert store.change_all([put(key, n=1) for key in keys[:75]])
    assert store.change_all([put(key, n=1) for key in keys[75:]])
    assert list(store.items("alias ")) == keys
    assert sorted(read_all(store, keys)) == keys
    assert store.get_all([]) == {}


def test_changes_happen_together_or_not_at_all(open_store: Callable[..., ToolStore]) -> None:
    store = open_store()
    store.change_all([Change("one", None, add={"n": 3}, put={"text": "old", "gone": 1})])
    failing = [
        Change("one", None, (Equals("text", "new"),), put={"text": "x"}),
        Change("one", None, (AtMost("n", 2),), put={"text": "x"}),
        Change("one", None, (Equals("n", None),), put={"text": "x"}),
        Change("one", None, (Present("missing"),), put={"text": "x"}),
    ]
    for change in failing:
        assert not store.change_all([put("two", n=1), change])
    assert store.get_all(["one", "two"]) == {"one": {"n": 3, "text": "old", "gone": 1}}
    guards = (Equals("text", "old"), AtMost("n", 3), Equals("missing", None), Present("gone"))
    made = Change("one", LATER, guards, add={"n": -1}, put={"text": "new"}, remove=("gone", "x"))
    assert store.change_all([made, put("two", n=1)])
    assert store.get_all(["one", "two"]) == {"one": {"n": 2, "text": "new"}, "two": {"n": 1}}
    assert open_store(LATER).get_all(["one"]) == {}


def test_item_that_loses_all_its_values_is_as_good_as_missing(
    open_store: Callable[..., ToolStore],
) -> None:
    store = open_store()
    store.change_all([put("alias a", account="key 1")])
    assert store.change_all([Change("alias a", NOW, remove=("account",))])
    assert store.items("alias ") == {}
    assert store.change_all([Change("alias a", None, (Equals("account", None),), put={"n": 1})])
    assert store.items("alias ") == {"alias a": {"n": 1}}


def test_of_many_at_once_one_takes_a_place(open_store: Callable[..., ToolStore]) -> None:
    def take(number: int) -> bool:
        own = Change(f"own {number}", None, add={"n": 1})
        place = Change("place", None, (Equals("owner", None),), put={"owner": number})
        return open_store().change_all([own, place])

    open_store()
    with ThreadPoolExecutor(8) as pool:
        taken = [number for number, took in enumerate(pool.map(take, range(8))) if took]
    assert open_store().get_all(["place"]) == {"place": {"owner": taken[0]}}
    assert list(open_store().items("own ")) == [f"own {taken[0]}"]
    assert len(taken) == 1


def test_unreadable_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "state.sqlite3"
    file.write_text("no database, but long enough to look like one" * 20)
    with pytest.raises(ToolError, match=r"state\.sqlite3 could not be read \(file is not a data"):
        SqliteItems(str(file)).items("")
    with pytest.raises(ToolError, match="could not be written"):
        SqliteItems(str(file)).change_all([put("a", n=1)])


@pytest.mark.usefixtures("table")
def test_missing_table_says_what_to_check() -> None:
    store = DynamoDbItems("sluice-prod-state", boto3.Session())
    why = r"sluice-prod-state in us-east-1 did not answer {} \(ResourceNotFoundException\)\. Check"
    with pytest.raises(ToolError, match=why.format("Scan")):
        store.items("key ")
    with pytest.raises(ToolError, match=why.format("TransactWriteItems")):
        store.change_all([put("a", n=1)])


class Refusing:
    """A session whose client gives these answers to TransactWriteItems."""

    region_name = "us-east-1"

    def __init__(self, *reasons: list[str] | None) -> None:
        self._client = boto3.client("dynamodb", region_name="us-east-1")
        self.stub = Stubber(self._client)
        for codes in reasons:
            if codes is None:
                self.stub.add_response("transact_write_items", {})
            else:
                found = {"CancellationReasons": [{"Code": code} for code in codes]}
                self.stub.add_client_error(
                    "transact_write_items",
                    "TransactionCanceledException",
                    modeled_fields=found,
                )
        self.stub.activate()

    def client(self, *_names: str, **_options: object) -> object:
        return self._client


def test_transaction_that_meets_another_is_tried_again(account: dict[str, str]) -> None:
    assert account
    conflict, not_met, broken = ["None", "TransactionConflict"], ["ConditionalCheckFailed"], ["X"]
    pauses: list[float] = []

    def changed(*reasons: list[str] | None) -> bool:
        pauses.clear()
        store = DynamoDbItems(TABLE, Refusing(*reasons), lambda: NOW, pauses.append)
        return store.change_all([put("a", n=1), put("b", n=1)])

    assert changed(conflict, conflict, None)
    assert pauses == list(PAUSES_S[:2])
    assert not changed(conflict, not_met)
    with pytest.raises(ToolError, match=r"did not take the change \(X\)\. Try again"):
        changed(broken)
    with pytest.raises(ToolError, match="TransactionConflict"):
        changed(*[conflict] * (len(PAUSES_S) + 1))


@pytest.mark.parametrize("kind", BOTH)
def test_tools_and_functions_read_each_other(kind: str, request: pytest.FixtureRequest) -> None:
    tool = opened(kind, request)
    store: StateStore = SqliteState(
        str(request.getfixturevalue("tmp_path") / "state.sqlite3"), lambda: NOW
    )
    if kind == "dynamodb":
        store = DynamoDbState(TABLE, os.environ, lambda: NOW)
    assert tool.change_all([put("key 1", name="a", n=1)])
    assert store.change(Change("key 1", LATER, (Equals("n", 1),), add={"n": 1})).was_applied
    assert tool.items("key ") == store.get_all(["key 1"]) == {"key 1": {"name": "a", "n": 2}}
    store.put("key 2", {"n": 3}, NOW + 1)
    assert tool.get_all(["key 2"]) == {"key 2": {"n": 3}}
    store.close()
