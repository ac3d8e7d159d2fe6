"""Which cache the settings name, and what is imported for it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from sluice.cache.opening import cache_file, open_cache
from sluice.errors import SettingsError
from sluice.settings import read_settings
from tests.child_environment import LAYERS
from tests.sluice.state.state_opening import LATER, NOW, TABLE, at

if TYPE_CHECKING:
    from pathlib import Path

ON = {"CACHE_CHAT_COMPLETION": "true"}


def test_cache_is_off_unless_it_is_turned_on(file: Path) -> None:
    assert open_cache(read_settings({"STATE_FILE": str(file)}), {}) is None


@pytest.mark.parametrize("name", ["sluice-cache.sqlite3", "sluice-cache.lmdb"])
def test_file_is_next_to_the_states_and_made_at_its_first_use(tmp_path: Path, name: str) -> None:
    backend = {"sqlite3": "SQLITE", "lmdb": "LMDB"}[name.partition(".")[2]]
    environ = {**ON, "STATE_FILE": str(tmp_path / "sluice.sqlite3"), "CACHE_BACKEND": backend}
    cache = open_cache(read_settings(environ), {}, at(NOW))
    assert cache is not None
    assert list(tmp_path.iterdir()) == []
    cache.put("key", b"entry", LATER)
    assert cache.get("key") == b"entry"
    assert (tmp_path / name).is_file()
    cache.close()


def test_stacks_that_share_a_folder_have_their_own_files() -> None:
    for state, cache in (
        ("/a.b/one.sqlite3", "/a.b/one-cache.lmdb"),
        ("/a.b/two", "/a.b/two-cache.lmdb"),
        ("three.db", "three-cache.lmdb"),
    ):
        assert cache_file(state, ".lmdb") == cache


@pytest.mark.usefixtures("table")
def test_table_is_not_the_states() -> None:
    for backend in ("", "dynamodb"):
        tables = {"STATE_TABLE": "another", "CACHE_TABLE": TABLE}
        environ = {**ON, **tables, "CACHE_BACKEND": backend}
        cache = open_cache(read_settings(environ), os.environ, at(NOW))
        assert cache is not None
        cache.put("key", b"entry", LATER)
        cache.close()
        assert cache.get("key") == b"entry"
        cache.close()


def test_missing_table_is_named() -> None:
    settings = read_settings({**ON, "CACHE_BACKEND": "DYNAMODB"})
    with pytest.raises(SettingsError, match=r"^CACHE_TABLE must be set for CACHE_"):
        open_cache(settings, {})


def imported(**environment: str) -> list[set[str]]:
    """The caches' libraries that a process has imported before and after their first use."""
    program = """
import os, sys
from sluice.cache.opening import open_cache
from sluice.settings import read_settings
def show(): print(*{"sqlite3", "lmdb", "boto3"} & set(sys.modules))
cache = open_cache(read_settings(os.environ), os.environ)
show()
cache and cache.get("key")
show()
"""
    printed = subprocess.check_output(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": LAYERS, **environment},
        text=True,
    )
    return [set(line.split()) for line in printed.splitlines()]


def test_only_the_caches_own_library_is_imported_at_its_first_use(file: Path) -> None:
    for environ, library in (
        ({}, set()),
        (ON, set()),
        ({**ON, "STATE_FILE": str(file)}, {"sqlite3"}),
        ({**ON, "STATE_FILE": str(file), "CACHE_BACKEND": "LMDB"}, {"lmdb"}),
    ):
        assert imported(**environ) == [set(), library]


def test_missing_package_is_named_at_the_start(file: Path) -> None:
    """A Python without site-packages has no lmdb."""
    program = "import os; from sluice.settings import read_settings; read_settings(os.environ)"
    environ = {**ON, "STATE_FILE": str(file), "CACHE_BACKEND": "LMDB"}
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        env={"PYTHONPATH": LAYERS, **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "sluice.errors.SettingsError: CACHE_BACKEND needs the Python package lmdb (got LMDB)."
        " Install it with `.venv/bin/pip install lmdb`, or use SQLITE."
    )
