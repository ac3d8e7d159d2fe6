"""A kept answer as bytes: what was said, until when it counts, and a checksum. No I/O."""

from __future__ import annotations

import json
import zlib

from sluice.digests import sha256
from sluice.named_tuple import NamedTuple

MARK = b"sluice 1\n"
"""Begins each entry. An entry of another version is no entry."""
CHECKSUM_BYTES = 32
MAX_BODY_BYTES = 16 * 1024 * 1024
"""Maximum size of an answer, in bytes. A longer one is not kept: Lambda streams up to 20 MB a
request by default, and an embedding of many texts has some MB."""
NEWLINE = b"\n"


class Entry(NamedTuple):
    """One kept answer.

    key: the request's. created_at, expires_at: Unix time in seconds. body: as the provider sent it,
    but not compressed, and with keys masked.
    """

    key: str
    created_at: float
    expires_at: float
    content_type: str
    body: bytes


def written(entry: Entry) -> bytes:
    """The bytes of an entry."""
    head = json.dumps(entry[:-1]).encode()
    content = zlib.compress(head + NEWLINE + entry.body)
    return MARK + sha256(content).digest() + content


def read(data: bytes, key: str, now: float) -> Entry | None:
    """The entry, if it is whole, answers this key, and has not expired at `now`, Unix time."""
    checksum, content = _parts(data)
    if not data.startswith(MARK) or sha256(content).digest() != checksum:
        return None
    try:
        head, body = _inflated(content)
        of_key, created_at, expires_at, content_type = json.loads(head)
        entry = Entry(of_key, created_at, expires_at, content_type, body)
        is_valid = of_key == key and expires_at > now
    except (ValueError, TypeError, zlib.error):
        return None  # of the same mark, but by another hand
    return entry if is_valid else None


def _parts(data: bytes) -> tuple[bytes, bytes]:
    start = len(MARK) + CHECKSUM_BYTES
    return data[len(MARK) : start], data[start:]


def _inflated(content: bytes) -> tuple[bytes, bytes]:
    plain = zlib.decompressobj().decompress(content, 2 * MAX_BODY_BYTES)
    head, _, body = plain.partition(NEWLINE)
    return head, body
