"""One contract, two stores: a SQLite file, and DynamoDB as moto's server plays it."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sluice.settings import read_settings
from sluice.state.item import Item
from sluice.state.opening import open_store
from sluice.state.sqlite import SqliteState
from sluice.state.store import MAX_KEYS
from tests.sluice.state.state_opening import LATER, NOW, NOW_ALWAYS, TABLE, Opening, at

ROOT = Path(__file__).parents[3]


@pytest.fixture(params=["sqlite", "dynamodb"])
def opened(request: pytest.FixtureRequest, file: Path) -> Opening:
    if request.param == "dynamodb":
        opening: Opening = request.getfixturevalue("table")
        return opening
    return lambda clock=NOW_ALWAYS: SqliteState(str(file), clock)


@pytest.mark.parametrize(
    "item",
    [{}, {"text": "häß 漢字 🙂 \x00 '\"", "empty": "", "number": -(2**62), "zero": 0}],
    ids=["nothing", "all kinds"],
)
def test_item_comes_back_as_it_was_put(opened: Opening, item: Item) -> None:
    opened().put("key", item, LATER)
    assert opened().get_all(["key"]) == {"key": item}


def test_item_replaces_the_previous_one_as_a_whole(opened: Opening) -> None:
    store = opened()
    store.put("key", {"a": 1, "b": "old"}, LATER)
    store.put("key", {"b": "new"}, LATER + 60)
    for now in (NOW, LATER + 1):
        assert opened(at(now)).get_all(["key"]) == {"key": {"b": "new"}}


def test_only_items_that_exist_are_returned_each_once(opened: Opening) -> None:
    store = opened()
    store.put("there", {"a": 1}, LATER)
    assert store.get_all(["not", "there", "there", "either"]) == {"there": {"a": 1}}


@pytest.mark.parametrize("key", ["a b:c/d#e", "ключ", "k" * 2048, "' OR 1=1 --", "🙂" * 512])
def test_any_text_is_a_key(opened: Opening, key: str) -> None:
    store = opened()
    store.put(key, {"a": 1}, LATER)
    assert store.get_all([key, key[:-1] + "?"]) == {key: {"a": 1}}


def test_expired_item_is_absent(opened: Opening) -> None:
    opened().put("key", {"a": 1}, LATER)
    assert opened(at(LATER - 1)).get_all(["key"])
    assert opened(at(LATER)).get_all(["key"]) == {}
    assert opened(at(LATER + 1)).get_all(["key"]) == {}


def test_fraction_of_a_second_is_rounded_up(opened: Opening) -> None:
    opened().put("key", {"a": 1}, LATER + 0.25)
    assert opened(at(LATER + 0.9)).get_all(["key"])
    assert not opened(at(LATER + 1)).get_all(["key"])


def test_number_of_keys_has_a_limit(opened: Opening) -> None:
    store = opened()
    keys = [str(number) for number in range(MAX_KEYS)]
    store.put(keys[-1], {"a": 1}, LATER)
    assert store.get_all([*keys, keys[0]]) == {keys[-1]: {"a": 1}}
    with pytest.raises(ValueError, match="at most 100 keys, found 101"):
        store.get_all([*keys, "one more"])


def test_many_threads_use_one_store(opened: Opening) -> None:
    store = opened()

    def put_and_look(number: int) -> bool:
        store.put(str(number), {"number": number}, LATER)
        return store.get_all([str(number)]) == {str(number): {"number": number}}

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(put_and_look, range(64)))
    assert len(store.get_all([str(number) for number in range(64)])) == 64


def test_file_wins_over_table(file: Path) -> None:
    settings = read_settings({"STATE_FILE": str(file), "STATE_TABLE": "a-table"})
    store = open_store(settings, {}, at(NOW))
    assert store is not None
    assert not file.exists()
    store.put("key", {"a": 1}, LATER)
    assert store.get_all(["key"]) == {"key": {"a": 1}}
    assert file.exists()


def test_table_is_opened_at_its_first_use(table: Opening) -> None:
    store = open_store(read_settings({"STATE_TABLE": TABLE}), os.environ, at(NOW))
    assert store is not None
    store.close()
    store.put("key", {"a": 1}, LATER)
    assert table().get_all(["key"]) == {"key": {"a": 1}}
    store.close()


IMPORTED = """
import os, sys
from sluice.state.connections import connection_state
from sluice.state.opening import open_store
from sluice.settings import read_settings
def show(): print(*{"sqlite3", "boto3", "botocore"} & set(sys.modules))
state = connection_state(open_store(read_settings(os.environ), os.environ))
show()
state and state.closed("connection")
show()
"""


def imported(**environment: str) -> list[set[str]]:
    """The stores' libraries that a process has imported before and after their first use."""
    paths = {"PYTHONPATH": str(ROOT / "layers/shared/python")}
    command = [sys.executable, "-c", IMPORTED]
    printed = subprocess.check_output(command, env=paths | environment, text=True)
    return [set(line.split()) for line in printed.splitlines()]


def test_only_the_stores_own_library_is_imported_at_its_first_use(file: Path) -> None:
    assert imported() == [set(), set()]
    assert imported(STATE_FILE=str(file), STATE_TABLE=TABLE) == [set(), {"sqlite3"}]


@pytest.mark.usefixtures("table")
def test_table_imports_neither_sqlite_nor_boto3() -> None:
    aws = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    assert imported(STATE_TABLE=TABLE, **aws) == [set(), set()]
