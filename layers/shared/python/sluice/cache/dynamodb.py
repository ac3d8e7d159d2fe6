"""The cache of a deployment: a DynamoDB table with the key `id` and the TTL `expires_at`.

An entry is one item. A larger one is a head and parts: an item has at most 400 KB. The parts are
written first, and the head names them by the entry's digest, so a reader never joins those of two
entries. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
"""

from __future__ import annotations

import math
import time
from functools import partial

from sluice.aws.dynamodb import DYNAMODB, Table, Write
from sluice.aws.json_api import JsonApi, Limits
from sluice.cache.store import MAX_ENTRY_BYTES
from sluice.digests import sha256
from sluice.state.dynamodb import table_errors
from sluice.state.expressions import EXPIRY, KEY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from sluice.aws.attribute_values import Item

PART_BYTES = 400_000
"""Maximum bytes of an entry in one item, of 409,600: the rest is for the key and the other
attributes."""
LIMITS = Limits(connect_s=0.5, reply_s=1.0, total_s=3.0, attempts=1)
"""total_s: for all writes of an entry, which no client waits for. No retries: the provider is the
fallback."""
GET_TOTAL_S = 0.5
"""Maximum time of a read: it takes 5 ms, after a cold start 100. A slower cache does not help."""
cache_errors = partial(table_errors, "cache table")
STORED_AT, SIZE, ENTRY, DIGEST = "stored_at", "size", "entry", "digest"
"""Attributes: SIZE is the whole entry's, DIGEST is missing from an entry without parts."""


class DynamoDbCache:
    """A CacheStore in the DynamoDB table `table`.

    environ, limits: see JsonApi. clock: Unix time. get_total_s: for each of the reads of an entry:
    one, and another for its parts. monotonic: a clock in seconds for the writes of an entry.
    DynamoDB removes an expired item within days.
    """

    def __init__(
        self,
        table: str,
        environ: Mapping[str, str],
        clock: Callable[[], float],
        limits: Limits = LIMITS,
        get_total_s: float = GET_TOTAL_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._table = Table(table, JsonApi(DYNAMODB, environ, limits))
        self._clock, self._monotonic = clock, monotonic
        self._get_total_s = get_total_s
        self._put_total_s = limits.total_s

    def get(self, key: str) -> bytes | None:
        with cache_errors("GetItem"):
            head = self._table.get_item({KEY: key}, total_s=self._get_total_s) or {}
        first = _entry_of(head)
        if DIGEST not in head:
            return first
        size = head.get(SIZE)
        if not (isinstance(size, int) and PART_BYTES < size <= MAX_ENTRY_BYTES):
            return None  # another version's
        names = _part_names(key, head[DIGEST], size)
        wanted: list[Item] = [{KEY: each} for each in names]
        with cache_errors("BatchGetItem"):
            rows = self._table.get_items(wanted, total_s=self._get_total_s)
        parts = {row[KEY]: _entry_of(row) for row in rows}
        entry = b"".join((first or b"", *(parts.get(each) or b"" for each in names)))
        return entry if sha256(entry).hexdigest() == head[DIGEST] else None

    def put(self, key: str, entry: bytes, expires_at: float) -> None:
        end = self._monotonic() + self._put_total_s
        head: dict[str, Any] = {
            KEY: key,
            EXPIRY: math.ceil(expires_at),
            STORED_AT: int(self._clock()),
            SIZE: len(entry),
            ENTRY: entry[:PART_BYTES],
        }
        if len(entry) > PART_BYTES:
            head[DIGEST] = sha256(entry).hexdigest()
            for number, part in enumerate(_part_names(key, head[DIGEST], len(entry)), 1):
                piece = entry[number * PART_BYTES : (number + 1) * PART_BYTES]
                self._put({KEY: part, EXPIRY: head[EXPIRY], ENTRY: piece}, end)
        self._put(head, end)

    def close(self) -> None:
        self._table.close()

    def _put(self, item: Item, end: float) -> None:
        with cache_errors("PutItem"):
            self._table.put_item(item, Write(total_s=end - self._monotonic()))


def _entry_of(item: Mapping[str, Any]) -> bytes | None:
    """The entry, or the part of one, in an item; None in one of another form."""
    entry = item.get(ENTRY)
    return entry if isinstance(entry, bytes) else None


def _part_names(key: str, digest: str, size: int) -> list[str]:
    """Of the parts after the first, which is in the head."""
    count = -(-size // PART_BYTES)
    return [f"{key}#{digest}#{number}" for number in range(1, count)]
