"""What only the cache in DynamoDB does: calls, items, and what happens when they fail or mix."""

from __future__ import annotations

import os
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from sluice.cache.dynamodb import LIMITS, PART_BYTES, DynamoDbCache
from sluice.cache.store import MAX_ENTRY_BYTES
from sluice.errors import StateUnavailable
from tests.scripted_upstream import (
    ScriptedUpstream,
    one_after_another,
    refused_url,
    replies,
    silent_until,
)
from tests.sluice.aws.aws_environment import environ_of
from tests.sluice.cache.cache_opening import LARGE
from tests.sluice.state.state_opening import LATER, NOW, PATIENT, TABLE, at

if TYPE_CHECKING:
    from collections.abc import Iterator

TWO_PARTS = LARGE * 500
LARGEST = LARGE * (MAX_ENTRY_BYTES // len(LARGE))
MAX_ITEM_BYTES = 409_600


@pytest.fixture
def cache(upstream: ScriptedUpstream) -> Iterator[DynamoDbCache]:
    with closing(DynamoDbCache(TABLE, environ_of(upstream.url), at(NOW))) as opened:
        yield opened


def operations(upstream: ScriptedUpstream) -> list[str]:
    """The operations that DynamoDB was asked for since the last look."""
    names = [request.headers["x-amz-target"].partition(".")[2] for request in upstream.requests]
    upstream.requests.clear()
    return names


def test_hit_and_miss_are_one_read_each_and_an_answer_is_one_write(
    upstream: ScriptedUpstream, cache: DynamoDbCache
) -> None:
    upstream.script = replies(200, {})
    assert cache.get("key") is None
    assert upstream.requests[0].document == {
        "TableName": TABLE,
        "Key": {"id": {"S": "key"}},  # eventually consistent: half the price
    }
    assert operations(upstream) == ["GetItem"]
    cache.put("key", b"entry", LATER + 0.5)
    item = {
        "id": {"S": "key"},
        "expires_at": {"N": str(int(LATER) + 1)},
        "stored_at": {"N": str(int(NOW))},
        "size": {"N": "5"},
        "entry": {"B": "ZW50cnk="},
    }
    assert upstream.requests[0].document == {"TableName": TABLE, "Item": item}
    assert operations(upstream) == ["PutItem"]
    upstream.script = replies(200, {"Item": item})
    assert cache.get("key") == b"entry"
    assert operations(upstream) == ["GetItem"]


def test_larger_entry_is_two_reads_and_its_head_is_written_last(
    upstream: ScriptedUpstream, cache: DynamoDbCache
) -> None:
    upstream.script = replies(200, {})
    cache.put("key", LARGEST, LATER)
    items = [request.document["Item"] for request in upstream.requests]
    assert operations(upstream) == ["PutItem"] * len(items)
    assert [item["id"]["S"] == "key" for item in items] == [False] * 10 + [True]
    upstream.script = one_after_another(
        replies(200, {"Item": items[-1]}), replies(200, {"Responses": {TABLE: items[:-1]}})
    )
    assert cache.get("key") == LARGEST
    assert operations(upstream) == ["GetItem", "BatchGetItem"]


def test_failure_is_reported_without_a_retry(
    upstream: ScriptedUpstream, cache: DynamoDbCache
) -> None:
    upstream.script = replies(400, {"__type": "x#ProvisionedThroughputExceededException"})
    with pytest.raises(StateUnavailable, match="refused GetItem: ProvisionedThroughputExceeded"):
        cache.get("key")
    assert operations(upstream) == ["GetItem"]
    for entry in (b"entry", LARGEST):
        with pytest.raises(StateUnavailable, match="refused PutItem: ProvisionedThroughput"):
            cache.put("key", entry, LATER)
        assert operations(upstream) == ["PutItem"]


def test_table_that_does_not_answer_is_not_waited_for(upstream: ScriptedUpstream) -> None:
    done = threading.Event()
    upstream.script = silent_until(done)
    environ = environ_of(upstream.url)
    limits = LIMITS._replace(total_s=0.05)
    with closing(DynamoDbCache(TABLE, environ, at(NOW), limits, get_total_s=0.05)) as cache:
        with pytest.raises(StateUnavailable, match="did not answer GetItem"):
            cache.get("key")
        with pytest.raises(StateUnavailable, match="did not answer PutItem"):
            cache.put("key", LARGEST, LATER)
        done.set()
    unreachable = DynamoDbCache(TABLE, environ_of(refused_url()), at(NOW))
    with pytest.raises(StateUnavailable, match=r"did not answer GetItem: CannotConnect\.$"):
        unreachable.get("key")


def test_all_writes_of_an_entry_share_one_time(upstream: ScriptedUpstream) -> None:
    moments = iter((0.0, 0.0, LIMITS.total_s / 2, LIMITS.total_s))
    upstream.script = replies(200, {})
    made = DynamoDbCache(TABLE, environ_of(upstream.url), at(NOW), monotonic=lambda: next(moments))
    with closing(made) as cache, pytest.raises(StateUnavailable, match="did not answer PutItem"):
        cache.put("key", LARGEST, LATER)
    assert operations(upstream) == ["PutItem"] * 2


@pytest.fixture
def real(table: object) -> Iterator[DynamoDbCache]:
    del table
    with closing(DynamoDbCache(TABLE, os.environ, at(NOW), PATIENT, PATIENT.total_s)) as opened:
        yield opened


@pytest.fixture
def client(table: object) -> Iterator[Any]:
    del table
    with closing(boto3.client("dynamodb")) as made:
        yield made


def stored(client: Any) -> dict[str, Any]:
    return {item["id"]["S"]: item for item in client.scan(TableName=TABLE)["Items"]}


def test_items_fit_and_expire_together(real: DynamoDbCache, client: Any) -> None:
    key = "f" * 64
    real.put(key, LARGE * 900, LATER)
    items = stored(client)
    assert len(items) == 3
    for item in items.values():
        texts = sum(len(name) + len(value) for name, value in _texts(item))
        assert texts + len(item["entry"]["B"]) + 100 < MAX_ITEM_BYTES
        assert item["expires_at"] == {"N": str(int(LATER))}


def _texts(item: dict[str, Any]) -> list[tuple[str, str]]:
    return [(name, v) for name, value in item.items() for v in value.values() if name != "entry"]


def test_entry_whose_parts_are_missing_or_another_entrys_is_a_miss(
    real: DynamoDbCache, client: Any
) -> None:
    """DynamoDB removes expired items in any order, and a writer may die before the last one."""
    real.put("key", TWO_PARTS, LATER)
    (head, part) = (item for _, item in sorted(stored(client).items()))
    client.delete_item(TableName=TABLE, Key={"id": part["id"]})
    assert real.get("key") is None
    other = {**part, "entry": {"B": part["entry"]["B"][:-1] + b"?"}}
    client.put_item(TableName=TABLE, Item=other)
    assert real.get("key") is None
    client.put_item(TableName=TABLE, Item=part)
    assert real.get("key") == TWO_PARTS
    client.delete_item(TableName=TABLE, Key={"id": head["id"]})
    assert real.get("key") is None


def test_item_of_another_form_is_a_miss(real: DynamoDbCache, client: Any) -> None:
    in_parts = {"entry": {"B": b"a"}, "digest": {"S": "d"}}
    odd: list[dict[str, Any]] = [
        {},
        {"entry": {"S": "a text"}},
        {"entry": {"NULL": True}},
        in_parts,
    ]
    sizes: list[dict[str, str]] = [{"S": "9"}, {"N": "1.5"}, {"N": "-1"}, {"N": "1e20"}]
    for values in (*odd, *({**in_parts, "size": size} for size in sizes)):
        client.put_item(TableName=TABLE, Item={"id": {"S": "key"}, **values})
        assert real.get("key") is None
    real.put("key", TWO_PARTS, LATER)
    (_, part) = (item for _, item in sorted(stored(client).items()))
    client.put_item(TableName=TABLE, Item={**part, "entry": {"S": "a text"}})
    assert real.get("key") is None


def test_heads_and_parts_of_two_writers_do_not_mix(real: DynamoDbCache, client: Any) -> None:
    """Each order in which two writers of one key may get their heads in."""
    one, other = TWO_PARTS, b"!" + TWO_PARTS
    real.put("key", one, LATER)
    first = stored(client)["key"]
    real.put("key", other, LATER)
    assert real.get("key") == other
    client.put_item(TableName=TABLE, Item=first)
    assert real.get("key") == one
    assert len(one) > PART_BYTES
