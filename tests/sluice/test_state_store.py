"""One contract, two stores: a SQLite file, and DynamoDB as moto's server plays it."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import boto3
import pytest
from moto.server import ThreadedMotoServer

from sluice.dynamodb_state import DynamoDbState
from sluice.errors import StateUnavailable
from sluice.settings import read_settings
from sluice.sqlite_state import MAX_REMOVED, SqliteState
from sluice.state_store import MAX_KEYS, Item, StateStore, open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
TABLE = "sluice-test-state"
NOW = 1_700_000_000.0
LATER = NOW + 60


class Opening(Protocol):
    """Opens the store under test once more, as another process would."""

    def __call__(self, clock: Callable[[], float] = ...) -> StateStore: ...


def at(now: float) -> Callable[[], float]:
    return lambda: now


NOW_ALWAYS = at(NOW)


@pytest.fixture(scope="module")
def dynamodb_url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> None:
    # boto3 reads its region and credentials from the environment, as on Lambda.
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)


@pytest.fixture
def table(
    account: None,  # noqa: ARG001 -- what boto3 signs with
    dynamodb_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Opening]:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", dynamodb_url)
    client = boto3.client("dynamodb")
    client.create_table(
        TableName=TABLE,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    yield lambda clock=NOW_ALWAYS: DynamoDbState(TABLE, clock)
    client.delete_table(TableName=TABLE)
    client.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "made" / "when" / "missing" / "state.sqlite3"


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


# SQLite's own part.

WRITER = """
import sys
from sluice.sqlite_state import SqliteState
store = SqliteState(sys.argv[1], lambda: 1_700_000_000.0)
print("ready", flush=True)
sys.stdin.read()
for number in range(25):
    key = f"{sys.argv[2]} {number}"
    store.put(key, {"number": number}, 1_700_000_060.0)
    assert store.get_all([key]) == {key: {"number": number}}
"""


def test_sixteen_processes_begin_on_a_missing_file_at_once(file: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "layers/shared/python")}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(file), str(number)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(16)
    ]
    for process in processes:
        assert process.stdout is not None
        with process.stdout as said:
            assert said.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
    assert [process.wait() for process in processes] == [0] * 16
    store = SqliteState(str(file), at(NOW))
    for number in range(16):
        assert len(store.get_all([f"{number} {n}" for n in range(25)])) == 25


def test_file_is_its_owners_alone(file: Path) -> None:
    SqliteState(str(file), at(NOW)).put("key", {"a": 1}, LATER)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_file_removed_meanwhile_is_made_again(file: Path) -> None:
    store = SqliteState(str(file), at(NOW))
    store.put("key", {"a": 1}, LATER)
    for leftover in file.parent.iterdir():
        leftover.unlink()
    assert store.get_all(["key"]) == {}
    store.put("key", {"a": 2}, LATER)
    assert store.get_all(["key"]) == {"key": {"a": 2}}


def test_put_takes_expired_rows_away_a_few_at_a_time(file: Path) -> None:
    for number in range(MAX_REMOVED + 2):
        SqliteState(str(file), at(NOW)).put(str(number), {}, LATER)
    SqliteState(str(file), at(LATER)).put("new", {}, LATER + 60)
    keys = [str(number) for number in range(MAX_REMOVED + 2)]
    assert len(SqliteState(str(file), at(NOW)).get_all(keys)) == 2
    SqliteState(str(file), at(LATER)).put("newer", {}, LATER + 60)
    assert SqliteState(str(file), at(NOW)).get_all(keys) == {}


def under_a_file(folder: Path) -> Path:
    (folder / "file").write_text("")
    return folder / "file" / "state.sqlite3"


def no_database(folder: Path) -> Path:
    (folder / "state.sqlite3").write_text("this is no database, however long it is" * 100)
    return folder / "state.sqlite3"


def a_folder(folder: Path) -> Path:
    return folder


@pytest.mark.parametrize("place", [under_a_file, no_database, a_folder])
def test_file_that_cannot_be_used_is_told(tmp_path: Path, place: Callable[[Path], Path]) -> None:
    store = SqliteState(str(place(tmp_path)), at(NOW))
    with pytest.raises(StateUnavailable, match=r"^The state file could not be written\.$") as put:
        store.put("the key", {"a": "the value"}, LATER)
    with pytest.raises(StateUnavailable, match=r"^The state file could not be read\.$"):
        store.get_all(["the key"])
    assert put.value.__cause__ is not None


# DynamoDB's own part.


@pytest.mark.usefixtures("account")
def test_refused_endpoint_is_told_after_few_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as listening:  # accepts nothing: it does not listen
        listening.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{listening.getsockname()[1]}"
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", endpoint)
        store = DynamoDbState(TABLE, at(NOW))
        with pytest.raises(StateUnavailable, match="did not answer PutItem"):
            store.put("the key", {"a": "the value"}, LATER)
        with pytest.raises(StateUnavailable, match="did not answer BatchGetItem") as refused:
            store.get_all(["the key"])
    assert type(refused.value.__cause__).__name__ == "EndpointConnectionError"


@pytest.mark.usefixtures("account")
def test_silent_endpoint_is_asked_twice_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:  # the kernel accepts, nobody answers
        endpoint = f"http://127.0.0.1:{listening.getsockname()[1]}"
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", endpoint)
        with pytest.raises(StateUnavailable, match="did not answer BatchGetItem") as silent:
            DynamoDbState(TABLE, at(NOW)).get_all(["key"])
        assert type(silent.value.__cause__).__name__ == "ReadTimeoutError"
        listening.settimeout(0)
        asked = 0
        while True:
            try:
                listening.accept()[0].close()
            except BlockingIOError:
                break
            asked += 1
    assert asked == 2


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize("endpoint", ["no url", "http://[::1"])
def test_endpoint_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", endpoint)
    with pytest.raises(StateUnavailable, match="did not answer PutItem"):
        DynamoDbState(TABLE, at(NOW)).put("key", {}, LATER)


@pytest.mark.usefixtures("table")
def test_missing_table_is_told_by_awss_code() -> None:
    store = DynamoDbState("another", at(NOW))
    with pytest.raises(StateUnavailable, match="refused PutItem: ResourceNotFoundException"):
        store.put("the key", {"a": "the value"}, LATER)
    with pytest.raises(StateUnavailable, match="refused BatchGetItem: ResourceNotFoundException"):
        store.get_all(["the key"])


@pytest.mark.usefixtures("account")
def test_no_keys_need_no_call() -> None:
    assert DynamoDbState("no such table", at(NOW)).get_all([]) == {}


def test_no_keys_need_no_file(tmp_path: Path) -> None:
    assert SqliteState(str(tmp_path / "none"), at(NOW)).get_all([]) == {}
    assert list(tmp_path.iterdir()) == []


# Which one it is.


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
from sluice.connection_state import connection_state
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
