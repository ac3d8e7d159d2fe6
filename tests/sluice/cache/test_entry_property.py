"""Random damage to kept answers: each is read whole, or not at all."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any

from hypothesis import assume, given
from hypothesis import strategies as st

from sluice.cache.entry import MARK, NEVER, Entry, read_entry, written_entry
from sluice.digests import sha256

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = 1_800_000_000.0
KEY = "0123456789abcdef" * 4
LATER = st.floats(min_value=1, max_value=1e9).map(lambda seconds: NOW + seconds)
ENTRIES = st.builds(
    Entry,
    st.just(KEY),
    st.floats(min_value=0, max_value=NOW),
    LATER,
    st.sampled_from(["text/event-stream", "application/json; charset=utf-8", "häß"]),
    st.none() | st.dictionaries(st.text(), st.integers()),
    st.lists(st.integers()),
    st.binary(max_size=200),
    st.binary(max_size=200) | st.binary(max_size=20).map(lambda piece: piece * 500),
)
PLACE = st.floats(min_value=0, max_value=1)
PIECE = st.binary(min_size=1, max_size=40)


def cut(data: bytes, start: float, end: float, _piece: bytes) -> bytes:
    return data[int(start * len(data)) : int(end * len(data))]


def inserted(data: bytes, start: float, _end: float, piece: bytes) -> bytes:
    at = int(start * len(data))
    return data[:at] + piece + data[at:]


def overwritten(data: bytes, start: float, _end: float, piece: bytes) -> bytes:
    at = int(start * len(data))
    return data[:at] + piece + data[at + len(piece) :]


def moved(data: bytes, start: float, end: float, _piece: bytes) -> bytes:
    first, second = sorted((int(start * len(data)), int(end * len(data))))
    return data[first:second] + data[:first] + data[second:]


DAMAGES: tuple[Callable[[bytes, float, float, bytes], bytes], ...] = (
    cut,
    inserted,
    overwritten,
    moved,
)


@given(ENTRIES)
def test_any_entry_is_read_as_it_was_written(entry: Entry) -> None:
    assert read_entry(written_entry(entry), KEY, NOW) == entry
    assert read_entry(written_entry(entry), KEY, entry.expires_at) is None
    assert read_entry(written_entry(entry), KEY[::-1], NOW) is None


@given(ENTRIES, st.lists(st.tuples(st.sampled_from(DAMAGES), PLACE, PLACE, PIECE), min_size=1))
def test_damaged_entry_is_none(entry: Entry, damages: list[Any]) -> None:
    whole = data = written_entry(entry)
    for damage, start, end, piece in damages:
        data = damage(data, start, end, piece)
    assume(data != whole)
    assert read_entry(data, KEY, NOW) is None


HEADS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.floats()
    | st.text()
    | st.just(KEY),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
LISTS = st.tuples(
    st.just(KEY) | HEADS,
    HEADS | LATER,
    HEADS | LATER,
    HEADS | st.just("text/plain"),
    HEADS | st.just({}),
    HEADS | st.just([]),
    HEADS | st.integers(),
)
TEXTS = (HEADS | LISTS).map(json.dumps) | st.integers(0, 100_000).map(lambda n: "[" * n)


@given(TEXTS, st.binary(), st.integers(min_value=0))
def test_entry_by_another_hand_is_an_entry_or_none(head: str, body: bytes, left_out: int) -> None:
    """Its checksum is right, and its content anything: also compressed data without its end."""
    content = zlib.compress(head.encode() + b"\n" + body)
    content = content[: len(content) - left_out % len(content)]
    entry = read_entry(MARK + sha256(content).digest() + content, KEY, NOW)
    if entry is not None:
        assert entry.key == KEY
        assert 0 <= entry.created_at < NEVER
        assert NOW < entry.expires_at < NEVER
        assert (type(entry.content_type), type(entry.cuts)) == (str, list)
        assert entry.whole + entry.body == body


@given(st.binary())
def test_any_bytes_are_no_entry(data: bytes) -> None:
    assert read_entry(data, KEY, NOW) is None
    assert read_entry(MARK + data, KEY, NOW) is None
