"""What only the SQLite file does; test_store holds what both stores do."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from sluice.errors import StateUnavailable
from sluice.state.sqlite import MAX_REMOVED, SqliteState
from tests.sluice.state.state_opening import LATER, NOW, at

ROOT = Path(__file__).parents[3]

WRITER = """
import sys
from sluice.state.sqlite import SqliteState
store = SqliteState(sys.argv[1], lambda: 1_700_000_000.0)
print("ready", flush=True)
sys.stdin.read()
for number in range(25):
    key = f"{sys.argv[2]} {number}"
    store.put(key, {"number": number}, 1_700_000_060.0)
    assert store.get_all([key]) == {key: {"number": number}}
"""


def test_sixteen_processes_start_on_a_missing_file_at_once(file: Path) -> None:
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


def test_only_the_owner_can_read_the_file(file: Path) -> None:
    SqliteState(str(file), at(NOW)).put("key", {"a": 1}, LATER)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_removed_file_is_made_again(file: Path) -> None:
    store = SqliteState(str(file), at(NOW))
    store.put("key", {"a": 1}, LATER)
    for leftover in file.parent.iterdir():
        leftover.unlink()
    assert store.get_all(["key"]) == {}
    store.put("key", {"a": 2}, LATER)
    assert store.get_all(["key"]) == {"key": {"a": 2}}


def test_file_that_was_removed_alone_leaves_nothing_to_the_new_one(file: Path) -> None:
    """Nor does a connection to the old one when it closes."""
    first, second = SqliteState(str(file), at(NOW)), SqliteState(str(file), at(NOW))
    first.put("key", {"a": 1}, LATER)
    file.unlink()
    assert second.get_all(["key"]) == {}
    second.put("key", {"a": 2}, LATER)
    first.close()
    assert first.get_all(["key"]) == second.get_all(["key"]) == {"key": {"a": 2}}


def test_file_stays_open_between_operations_until_it_is_closed(file: Path) -> None:
    """Closing the last connection would wait for the disk."""
    store, log = SqliteState(str(file), at(NOW)), file.with_name(f"{file.name}-wal")
    for _ in range(2):
        store.put("key", {"a": 1}, LATER)
        assert log.exists()
        store.close()
        assert not log.exists()
    assert SqliteState(str(file), at(NOW)).get_all(["key"]) == {"key": {"a": 1}}


def test_put_removes_a_few_expired_rows(file: Path) -> None:
    now, later = SqliteState(str(file), at(NOW)), SqliteState(str(file), at(LATER))
    keys = [str(number) for number in range(MAX_REMOVED + 2)]
    for key in keys:
        now.put(key, {}, LATER)
    for left in (2, 0):
        later.put("new", {}, LATER + 60)
        assert len(now.get_all(keys)) == left


@pytest.mark.parametrize("place", ["text/state", "text", "."])
def test_unusable_file_is_reported(tmp_path: Path, place: str) -> None:
    """Below a file, a file that is not a database, and a folder."""
    (tmp_path / "text").write_text("This is not a database, however long it is." * 100)
    store = SqliteState(str(tmp_path / place), at(NOW))
    with pytest.raises(StateUnavailable, match=r"^The state file could not be written\.$") as put:
        store.put("the key", {"a": "the value"}, LATER)
    with pytest.raises(StateUnavailable, match=r"^The state file could not be read\.$"):
        store.get_all(["the key"])
    assert put.value.__cause__ is not None


def test_no_keys_need_no_file(tmp_path: Path) -> None:
    assert SqliteState(str(tmp_path / "none"), at(NOW)).get_all([]) == {}
    assert list(tmp_path.iterdir()) == []
