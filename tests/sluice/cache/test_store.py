"""One contract, four caches. moto's server plays DynamoDB."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from sluice.cache.dynamodb import PART_BYTES
from sluice.cache.store import MAX_ENTRY_BYTES
from sluice.setting_values import CACHE_BACKENDS
from tests.sluice.cache.cache_opening import LARGE, Caches
from tests.sluice.state.state_opening import LATER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sluice.cache.opening import OpenedCache

KEY = "0123456789abcdef" * 4
LONGEST = LARGE * (MAX_ENTRY_BYTES // len(LARGE))


@pytest.fixture(params=CACHE_BACKENDS)
def opened(request: pytest.FixtureRequest, file: Path) -> Iterator[OpenedCache]:
    if request.param == "DYNAMODB":
        request.getfixturevalue("table")
    caches = Caches(file)
    yield caches.open(request.param)
    caches.close()


@pytest.mark.parametrize(
    "entry",
    [b"", b"\x00\xff text \n", (LARGE * 391)[:PART_BYTES], LARGE * 391, LARGE * 800, LONGEST],
    ids=["empty", "any bytes", "one item", "two items", "three items", "largest"],
)
def test_entry_comes_back_as_it_was_put(opened: OpenedCache, entry: bytes) -> None:
    opened.put(KEY, entry, LATER)
    assert opened.get(KEY) == entry


def test_entry_that_is_too_large_is_not_kept(opened: OpenedCache) -> None:
    opened.put(KEY, LONGEST + b"!", LATER)
    assert opened.get(KEY) is None


def test_entry_replaces_the_previous_one(opened: OpenedCache) -> None:
    for entry in (b"first", LARGE * 500, b"last"):
        opened.put(KEY, entry, LATER)
        assert opened.get(KEY) == entry


@pytest.mark.parametrize("key", ["a b:c/d#e", "k" * 400, "' OR 1=1 --"])
def test_any_ascii_text_is_a_key(opened: OpenedCache, key: str) -> None:
    opened.put(key, b"entry", LATER)
    assert opened.get(key) == b"entry"
    assert opened.get(key[:-1] + "?") is None


def test_many_threads_use_one_cache(opened: OpenedCache) -> None:
    def put_and_get(number: int) -> bool:
        opened.put(str(number), bytes([number]) * 1000, LATER)
        return opened.get(str(number)) == bytes([number]) * 1000

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(put_and_get, range(64)))


@pytest.mark.parametrize("backend", ["SQLITE", "LMDB", "DYNAMODB"])
def test_entries_outlast_the_process(
    backend: str, file: Path, request: pytest.FixtureRequest
) -> None:
    if backend == "DYNAMODB":
        request.getfixturevalue("table")
    for number in range(3):
        caches = Caches(file)
        cache = caches.open(backend)
        assert cache.get(KEY) == (b"entry" if number else None)
        cache.put(KEY, b"entry", LATER)
        cache.close()
        assert cache.get(KEY) == b"entry", "a closed cache opens itself again"
        caches.close()
