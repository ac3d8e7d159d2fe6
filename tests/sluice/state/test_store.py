"""One contract, two stores: a SQLite file, and DynamoDB as moto's server plays it."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sluice.settings import read_settings
from sluice.state.opening import open_store
from sluice.state.sqlite import SqliteState
from sluice.state.store import MAX_KEYS, Item
from tests.sluice.state.state_opening import LATER, NOW, NOW_ALWAYS, TABLE, Opening, at

ROOT = Path(__file__).parents[3]


@pytest.fixture(params=["sqlite", "dynamodb"])
def opened(request: pytest.FixtureRequest, file: Path) -> Opening:
    if request.param == "dynamodb":
        opening: Opening = request.getfixturevalue("table")
        return opening
    return lambda clock=NOW_ALWAYS: SqliteState(str(file), clock)


def test_item_comes_back_as_it_was_put(opened: Opening) -> None:
    item: Item = {"text": "häß 漢字 🙂 \x00 '\"", "empty": "", "number": -(2**62), "nought": 0}
    opened().put("key", item, LATER)
    assert opened().get_all(["key"]) == {"key": item}


def test_item_may_hold_nothing(opened: Opening) -> None:
    opened().put("key", {}, LATER)
    assert opened().get_all(["key"]) == {"key": {}}


def test_second_item_replaces_the_first_as_a_whole(opened: Opening) -> None:
    store = opened()
    store.put("key", {"a": 1, "b": "old"}, LATER)
    store.put("key", {"b": "new"}, LATER)
    assert store.get_all(["key"]) == {"key": {"b": "new"}}


def test_absent_keys_are_left_out(opened: Opening) -> None:
    store = opened()
    store.put("there", {"a": 1}, LATER)
    assert store.get_all(["not", "there", "either"]) == {"there": {"a": 1}}


def test_key_asked_for_twice_is_answered_once(opened: Opening) -> None:
    store = opened()
    store.put("key", {"a": 1}, LATER)
    assert store.get_all(["key", "key"]) == {"key": {"a": 1}}


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


def test_renewed_item_lives_on(opened: Opening) -> None:
    opened().put("key", {"a": 1}, LATER)
    opened().put("key", {"a": 2}, LATER + 60)
    assert opened(at(LATER + 1)).get_all(["key"]) == {"key": {"a": 2}}


def test_as_many_keys_as_are_allowed_and_no_more(opened: Opening) -> None:
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
    found = store.get_all([str(number) for number in range(64)])
    assert len(found) == 64


def test_settings_without_a_place_have_no_store() -> None:
    assert open_store(read_settings({})) is None


def test_file_wins_over_table(file: Path) -> None:
    settings = read_settings({"STATE_FILE": str(file), "STATE_TABLE": "a-table"})
    store = open_store(settings, at(NOW))
    assert store is not None
    assert not file.exists()
    store.put("key", {"a": 1}, LATER)
    assert store.get_all(["key"]) == {"key": {"a": 1}}
    assert file.exists()


def test_table_is_opened_at_its_first_use(table: Opening) -> None:
    store = open_store(read_settings({"STATE_TABLE": TABLE}), at(NOW))
    assert store is not None
    store.put("key", {"a": 1}, LATER)
    assert table().get_all(["key"]) == {"key": {"a": 1}}


IMPORTED = """
import os, sys
from sluice.state.connections import connection_state
from sluice.settings import read_settings
state = connection_state(read_settings(os.environ))
print({"sqlite3", "boto3", "botocore"} & set(sys.modules) or "none")
if state:
    state.closed("connection")
    print({"sqlite3", "boto3", "botocore"} & set(sys.modules))
"""


def imported(environment: dict[str, str]) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED],
        env={"PYTHONPATH": str(ROOT / "layers/shared/python"), **environment},
        capture_output=True,
        check=True,
        text=True,
    )
    return done.stdout.splitlines()


def test_nothing_is_imported_that_is_not_used(file: Path) -> None:
    assert imported({}) == ["none"]
    assert imported({"STATE_FILE": str(file), "STATE_TABLE": TABLE}) == ["none", "{'sqlite3'}"]


@pytest.mark.usefixtures("table")
def test_table_does_not_import_sqlite(dynamodb_url: str) -> None:
    aws = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    (first, second) = imported(
        {"STATE_TABLE": TABLE, **aws, "AWS_ENDPOINT_URL_DYNAMODB": dynamodb_url}
    )
    assert first == "none"
    assert "sqlite3" not in second
    assert "boto3" in second
