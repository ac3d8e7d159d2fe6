"""What only the cache in memory does; test_store holds what all caches do."""

from __future__ import annotations

from sluice.cache.memory import OVERHEAD_BYTES, MemoryCache
from tests.sluice.state.state_opening import LATER

ENTRY = b"x" * 1000
THREE = 3 * (len(ENTRY) + OVERHEAD_BYTES)


def kept(cache: MemoryCache, *keys: str) -> str:
    return "".join(key for key in keys if cache.get(key) is not None)


def test_entry_that_was_used_longest_ago_makes_room() -> None:
    cache = MemoryCache(THREE)
    for key in "abc":
        cache.put(key, ENTRY, LATER)
    assert cache.get("a") == ENTRY
    cache.put("d", ENTRY, LATER)
    assert kept(cache, *"abcd") == "acd"
    cache.put("a", ENTRY, LATER)  # replaced, so nothing makes room
    assert kept(cache, *"abcd") == "acd"
    cache.put("e", ENTRY * 2, LATER)
    assert kept(cache, *"abcde") == "de"


def test_entry_larger_than_all_is_not_kept() -> None:
    cache = MemoryCache(THREE)
    cache.put("a", ENTRY, LATER)
    cache.put("b", ENTRY * 4, LATER)
    assert kept(cache, "a", "b") == ""
    cache.put("c", ENTRY, LATER)
    assert kept(cache, "c") == "c"


def test_small_entries_count_with_what_python_takes_for_them() -> None:
    cache = MemoryCache(3 * OVERHEAD_BYTES)
    for key in "abcd":
        cache.put(key, b"", LATER)
    assert kept(cache, *"abcd") == "bcd"
