"""A kept answer as bytes: what was said, until when it counts, and a checksum. No I/O."""

from __future__ import annotations

import json
import zlib

from sluice.digests import sha256
from sluice.named_tuple import NamedTuple

MARK = b"sluice 2\n"
"""Begins each entry. Entries of other versions do not count."""
CHECKSUM_BYTES = 32
MAX_BODY_BYTES = 16 * 1024 * 1024
"""Maximum size of an answer, in bytes. A longer one is not kept: Lambda streams up to 20 MB a
request by default, and an embedding of many texts has some MB."""
NEWLINE = b"\n"
NEVER = 1e11
"""A Unix time, in the year 5138, that no entry names."""


class Entry(NamedTuple):
    """One kept answer.

    key: the request's. created_at, expires_at: Unix time in seconds. usage: the token counts by
    name. cuts: where events with nothing but these begin and end in the body, in turns. body: as
    its clients get it, with these events, and with keys masked. whole: an event stream's answer as
    one JSON document, else empty: folding takes as long as ten hits of 400 tokens.
    """

    key: str
    created_at: float
    expires_at: float
    content_type: str
    usage: dict[str, int] | None
    cuts: list[int]
    whole: bytes
    body: bytes


def written_entry(entry: Entry) -> bytes:
    """The bytes of an entry."""
    *facts, whole, body = entry
    head = json.dumps([*facts, len(whole)]).encode()
    content = zlib.compress(head + NEWLINE + whole + body)
    return MARK + sha256(content).digest() + content


def read_entry(data: bytes, key: str, now: float) -> Entry | None:
    """The entry, if it is whole, answers this key, and has not expired at `now`, Unix time."""
    checksum, content = _parts(data)
    if not data.startswith(MARK) or sha256(content).digest() != checksum:
        return None
    try:
        head, documents = _inflated(content)
        *facts, size = json.loads(head)
        entry = Entry(*(*facts, documents[:size], documents[size:]))
        return entry if _is_valid(entry, key, now) else None
    except (ValueError, TypeError, RecursionError, zlib.error):
        return None  # the mark is right, but something else wrote it


def _is_valid(entry: Entry, key: str, now: float) -> bool:
    """Raises TypeError where it has other types."""
    _, created_at, expires_at, content_type, usage, cuts, _, _ = entry
    is_of_now = now < expires_at < NEVER and 0 <= created_at < NEVER
    has_form = isinstance(content_type, str) and isinstance(usage, dict | None)
    has_cuts = isinstance(cuts, list) and all(type(cut) is int for cut in cuts)
    return entry.key == key and is_of_now and has_form and has_cuts


def _parts(data: bytes) -> tuple[bytes, bytes]:
    start = len(MARK) + CHECKSUM_BYTES
    return data[len(MARK) : start], data[start:]


def _inflated(content: bytes) -> tuple[bytes, bytes]:
    stream = zlib.decompressobj()
    plain = stream.decompress(content, 2 * MAX_BODY_BYTES)
    if not stream.eof:
        raise ValueError("the end is missing, or too far away")
    head, _, documents = plain.partition(NEWLINE)
    return head, documents
