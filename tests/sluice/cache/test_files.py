"""What the caches in a file do; test_store holds what all caches do."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import lmdb
import pytest

from sluice.cache.lmdb import LmdbCache
from sluice.cache.sqlite import SqliteCache
from sluice.cache.store import MAX_REMOVED
from sluice.errors import StateUnavailable
from tests.child_environment import LAYERS, inherited
from tests.sluice.state.state_opening import LATER, NOW, at

if TYPE_CHECKING:
    from pathlib import Path

KILOBYTE, MEGABYTE = 1000, 1_000_000
PROCESSES = 12

USER = """
import sys
from sluice.cache.lmdb import LmdbCache
from sluice.cache.sqlite import SqliteCache
from sluice.errors import StateUnavailable
kind, file, name = sys.argv[1:]
print("ready", flush=True)
sys.stdin.read()
cache = {"LmdbCache": LmdbCache, "SqliteCache": SqliteCache}[kind](file, lambda: 1_700_000_000.0)
for number in range(10):
    own, shared = f"{name} {number}", f"shared {number}"
    for key in (own, shared):
        cache.put(key, key.encode() * 500, 1_700_000_060.0)
        assert cache.get(key) == key.encode() * 500
"""

READER = """
import sys
import lmdb
environment = lmdb.open(sys.argv[2], map_size=1, subdir=False)
with environment.begin():
    print("ready", flush=True)
    sys.stdin.read()
"""

files = pytest.mark.parametrize("kind", [SqliteCache, LmdbCache])


def started(kind: type, file: Path, name: str = "", program: str = USER) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", program, kind.__name__, str(file), name],
        env={"PYTHONPATH": LAYERS, **inherited()},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@files
def test_many_processes_start_on_a_missing_file_at_once(
    kind: type[SqliteCache | LmdbCache], file: Path
) -> None:
    processes = [started(kind, file, str(number)) for number in range(PROCESSES)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
    assert [process.wait() for process in processes] == [0] * PROCESSES
    for process in processes:
        assert process.stdout is not None
        process.stdout.close()
    with closing(kind(str(file), at(NOW))) as cache:
        for name in [*map(str, range(PROCESSES)), "shared"]:
            assert all(cache.get(f"{name} {n}") for n in range(10))


@files
def test_only_the_owner_can_read_the_file(kind: type[SqliteCache | LmdbCache], file: Path) -> None:
    with closing(kind(str(file), at(NOW))) as cache:
        cache.put("key", b"entry", LATER)
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        for each in file.parent.iterdir():
            assert stat.S_IMODE(each.stat().st_mode) == 0o600


@files
def test_each_write_removes_a_few_expired_entries(
    kind: type[SqliteCache | LmdbCache], file: Path
) -> None:
    now = [NOW]
    with closing(kind(str(file), lambda: now[0])) as cache:
        keys = [str(number) for number in range(MAX_REMOVED + 3)]
        for key in keys:
            cache.put(key, b"old", LATER)
        cache.put(keys[0], b"new", LATER + 60)
        now[0] = LATER
        for left in (3, 1):
            cache.put("another", b"new", LATER + 60)
            assert sum(cache.get(key) is not None for key in keys) == left
        assert cache.get(keys[0]) == b"new"


@files
def test_what_expires_first_makes_room(kind: type[SqliteCache | LmdbCache], file: Path) -> None:
    """A dozen times what fits, in all sizes: the file is bounded, writing goes on."""
    sizes = (KILOBYTE, 50 * KILOBYTE, MEGABYTE, 2 * MEGABYTE)
    with closing(kind(str(file), at(NOW), 4 * MEGABYTE)) as cache:
        for number in range(100):
            size = sizes[number * number % 7 % len(sizes)]
            cache.put(str(number), b"x" * size, LATER + number)
            assert cache.get(str(number)) == b"x" * size
        used = sum(each.stat().st_blocks * 512 for each in file.parent.iterdir())
        assert used < 12 * MEGABYTE
        assert cache.get("0") is None
        kept = sum(len(cache.get(str(number)) or b"") for number in range(100))
        assert 2 * MEGABYTE <= kept <= 4 * MEGABYTE


@files
@pytest.mark.parametrize("place", ["text/cache", "text", "."])
def test_unusable_file_is_reported(
    kind: type[SqliteCache | LmdbCache], tmp_path: Path, place: str
) -> None:
    """Below a file, a file that is not a database, and a folder."""
    (tmp_path / "text").write_text("This is not a database, however long it is." * 1000)

    def use() -> None:
        cache = kind(str(tmp_path / place), at(NOW))
        cache.get("the key")

    with pytest.raises(StateUnavailable, match=r"^The cache file could not be \w+\.$") as caught:
        use()
    assert caught.value.__cause__ is not None


def test_large_entry_needs_no_pages_in_a_row(file: Path) -> None:
    """Small entries are between all the large ones that have made room."""
    with closing(LmdbCache(str(file), at(NOW), 8 * MEGABYTE)) as cache:
        for number in range(60):
            size = (4 * MEGABYTE, KILOBYTE, 70 * KILOBYTE)[number % 3]
            cache.put(str(number), b"x" * size, LATER + number)
            assert cache.get(str(number)) == b"x" * size


def test_process_that_died_while_it_read_keeps_no_room(file: Path) -> None:
    with closing(LmdbCache(str(file), at(NOW), 4 * MEGABYTE)) as cache:
        cache.put("key", b"entry", LATER)
        with started(LmdbCache, file, program=READER) as reader:
            reader.kill()
        for number in range(30):
            cache.put(str(number), b"x" * MEGABYTE, LATER + number)
        assert cache.get("29") == b"x" * MEGABYTE


def test_row_of_another_form_is_a_miss(file: Path) -> None:
    cache = SqliteCache(str(file), at(NOW))
    cache.put("key", b"entry", LATER)
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        for value in ("a text", None, 7):
            database.execute("UPDATE entries SET entry = ?", (value,))
            assert cache.get("key") is None
    cache.close()


def test_lmdb_value_of_another_form_is_reported(file: Path) -> None:
    with closing(LmdbCache(str(file), at(NOW))) as cache:
        cache.put("key", b"entry", LATER)
    with lmdb.open(str(file), subdir=False, max_dbs=2) as environment:
        entries = environment.open_db(b"entries")
        with environment.begin(entries, write=True) as transaction:
            transaction.put(b"key\x00\x00", b"short")
    with (
        closing(LmdbCache(str(file), at(NOW))) as cache,
        pytest.raises(StateUnavailable, match="could not be read"),
    ):
        cache.get("key")
