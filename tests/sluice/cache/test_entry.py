"""Entries are read as they were written, or not at all."""

from __future__ import annotations

import json
import zlib
from random import Random
from typing import Any

import pytest

from sluice.cache.entry import CHECKSUM_BYTES, MARK, Entry, read_entry, written_entry
from sluice.digests import sha256

NOW = 1_800_000_000.0
CONTENT = len(MARK) + CHECKSUM_BYTES
HEAD: list[Any] = [
    "k" * 64,
    NOW - 5,
    NOW + 60,
    "text/event-stream",
    {"total_tokens": 3},
    [0, 10],
    2,
]
ENTRY = Entry(*(*HEAD[:-1], b"{}", b"data: {}\n\ndata: [DONE]\n\n"))


def test_entry_is_read_as_it_was_written() -> None:
    for body in (ENTRY.body, b"", b"\n\n", bytes(range(256)) * 400):
        entry = ENTRY._replace(body=body)
        assert read_entry(written_entry(entry), entry.key, NOW) == entry


def test_entry_counts_until_it_expires() -> None:
    data = written_entry(ENTRY)
    assert read_entry(data, ENTRY.key, ENTRY.expires_at - 0.001) == ENTRY
    assert read_entry(data, ENTRY.key, ENTRY.expires_at) is None


def test_entry_answers_its_own_key_alone() -> None:
    assert read_entry(written_entry(ENTRY), "j" * 64, NOW) is None


def test_entry_that_was_cut_or_changed_is_none() -> None:
    data = written_entry(ENTRY)
    for end in range(len(data)):
        assert read_entry(data[:end], ENTRY.key, NOW) is None
        changed = data[:end] + bytes([data[end] ^ 1]) + data[end + 1 :]
        assert read_entry(changed, ENTRY.key, NOW) is None
    assert read_entry(data + b"x", ENTRY.key, NOW) is None


def test_parts_of_two_entries_are_none() -> None:
    random = Random(7)  # noqa: S311 -- the same places in each run
    other = written_entry(ENTRY._replace(body=b"data: {}\n\n" * 9))
    data = written_entry(ENTRY)
    for _ in range(200):
        at, of = random.randrange(CONTENT, len(data)), random.randrange(len(other))
        assert read_entry(data[:at] + other[of:], ENTRY.key, NOW) is None


def signed(content: bytes, mark: bytes = MARK) -> bytes:
    return mark + sha256(content).digest() + content


def with_head(at: int, odd: object) -> bytes:
    head = [odd if number == at else value for number, value in enumerate(HEAD)]
    return zlib.compress(json.dumps(head).encode() + b"\nbody")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not zlib",
        zlib.compress(b""),
        zlib.compress(b"[]\n"),
        zlib.compress(b"{}\nbody"),
        zlib.compress(b"[1, 2, 3]\nbody"),
        *(
            with_head(at, odd)
            for at, odd in ((2, "soon"), (3, 1), (4, 3), (5, None), (5, ["0"]), (6, ""))
        ),
    ],
    ids=[
        "empty",
        "plain",
        "no head",
        "no fields",
        "an object",
        "three fields",
        "odd expiry",
        "odd type",
        "odd usage",
        "no cuts",
        "odd cuts",
        "odd size",
    ],
)
def test_entry_by_another_hand_is_none(content: bytes) -> None:
    assert read_entry(signed(content), ENTRY.key, NOW) is None


def test_entry_of_another_version_is_none() -> None:
    content = written_entry(ENTRY)[CONTENT:]
    assert read_entry(signed(content), ENTRY.key, NOW) == ENTRY
    assert read_entry(signed(content, b"sluice 0\n"), ENTRY.key, NOW) is None
