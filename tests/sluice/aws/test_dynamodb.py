"""A table judged by boto3: the same requests, the same reading of replies, and moto's server."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from boto3.dynamodb.types import TypeDeserializer

from sluice.aws.dynamodb import DYNAMODB, LIMITS, Query, Table, Write
from sluice.aws.errors import AwsRefused, AwsUnreachable, ConditionFailed
from sluice.aws.json_api import JsonApi
from tests.scripted_upstream import ScriptedUpstream, one_after_another, replies
from tests.sluice.aws.aws_environment import ENVIRON, environ_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sluice.aws.attribute_values import Item

NAME = "a-table"
KEY = {"id": {"S": "k"}}
ROW = {"id": {"S": "k"}, "n": {"N": "7"}, "m": {"M": {"deep": {"L": [{"BOOL": True}]}}}}
PLAIN_ROW: Item = {"id": "k", "n": 7, "m": {"deep": [True]}}
PLACEHOLDERS = {
    "ExpressionAttributeNames": {"#n": "n"},
    "ExpressionAttributeValues": {":one": {"N": "1"}},
}
ON_FAILURE = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
MEANT: dict[str, Any] = {"names": {"#n": "n"}, "values": {":one": 1}}
FULL_WRITE = Write("#n < :one", **MEANT, returned="ALL_OLD", returns_on_failure=True)

# Each call, and what boto3 is given for the same operation.
CALLS: list[tuple[Callable[[Table], Any], str, dict[str, Any]]] = [
    (lambda table: table.get_item({"id": "k"}), "get_item", {"Key": KEY}),
    (
        lambda table: table.get_item({"id": "k"}, is_consistent=True),
        "get_item",
        {"Key": KEY, "ConsistentRead": True},
    ),
    (
        lambda table: table.get_items([{"id": "k"}, {"id": "l"}], is_consistent=True),
        "batch_get_item",
        {"RequestItems": {NAME: {"Keys": [KEY, {"id": {"S": "l"}}], "ConsistentRead": True}}},
    ),
    (lambda table: table.put_item(PLAIN_ROW), "put_item", {"Item": ROW}),
    (
        lambda table: table.put_item(PLAIN_ROW, FULL_WRITE),
        "put_item",
        {
            "Item": ROW,
            "ConditionExpression": "#n < :one",
            "ReturnValues": "ALL_OLD",
            **PLACEHOLDERS,
            **ON_FAILURE,
        },
    ),
    (
        lambda table: table.update_item(
            {"id": "k"}, "ADD #n :one", Write(**MEANT, returned="UPDATED_NEW")
        ),
        "update_item",
        {
            "Key": KEY,
            "UpdateExpression": "ADD #n :one",
            "ReturnValues": "UPDATED_NEW",
            **PLACEHOLDERS,
        },
    ),
    (
        lambda table: table.delete_item({"id": "k"}, FULL_WRITE),
        "delete_item",
        {
            "Key": KEY,
            "ConditionExpression": "#n < :one",
            "ReturnValues": "ALL_OLD",
            **PLACEHOLDERS,
            **ON_FAILURE,
        },
    ),
    (
        lambda table: list(
            table.query(
                Query(
                    "id = :one",
                    filters="#n > :one",
                    **MEANT,
                    index_name="by-n",
                    page_size=5,
                    is_descending=True,
                    is_consistent=True,
                )
            )
        ),
        "query",
        {
            "KeyConditionExpression": "id = :one",
            "FilterExpression": "#n > :one",
            "IndexName": "by-n",
            "Limit": 5,
            "ScanIndexForward": False,
            "ConsistentRead": True,
            **PLACEHOLDERS,
        },
    ),
]


@pytest.fixture
def table(upstream: ScriptedUpstream) -> Iterator[Table]:
    with closing(table_at(upstream.url)) as made:
        yield made


def table_at(endpoint: str) -> Table:
    return Table(NAME, JsonApi(DYNAMODB, environ_of(endpoint), LIMITS, sleep=lambda _: None))


def boto3_client(endpoint: str) -> Any:
    return boto3.client(
        "dynamodb",
        endpoint_url=endpoint,
        region_name=ENVIRON["AWS_REGION"],
        aws_access_key_id=ENVIRON["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=ENVIRON["AWS_SECRET_ACCESS_KEY"],
    )


def test_requests_are_boto3s(upstream: ScriptedUpstream, table: Table) -> None:
    upstream.script = replies(200, {"Responses": {}, "Items": []})
    with closing(boto3_client(upstream.url)) as client:
        for ours, operation, theirs in CALLS:
            name = {} if operation == "batch_get_item" else {"TableName": NAME}
            ours(table)
            getattr(client, operation)(**name, **theirs)
            sent, reference = upstream.requests[-2:]
            assert sent.document == reference.document, operation
            for header in ("x-amz-target", "content-type"):
                assert sent.headers[header] == reference.headers[header]


def test_replies_are_read_as_boto3_reads_them(upstream: ScriptedUpstream, table: Table) -> None:
    reply = {"Item": ROW, "Attributes": ROW, "Responses": {NAME: [ROW]}, "Items": [ROW]}
    upstream.script = replies(200, reply)
    with closing(boto3_client(upstream.url)) as client:
        theirs = client.get_item(TableName=NAME, Key=KEY)["Item"]
    assert {name: TypeDeserializer().deserialize(v) for name, v in theirs.items()} == PLAIN_ROW
    for ours, operation, _ in CALLS:
        is_many = operation in ("batch_get_item", "query")
        assert ours(table) == ([PLAIN_ROW] if is_many else PLAIN_ROW)


def test_what_is_not_there_is_none(upstream: ScriptedUpstream, table: Table) -> None:
    upstream.script = replies(200, {"Responses": {}, "Items": []})
    for ours, operation, _ in CALLS:
        assert ours(table) == ([] if operation in ("batch_get_item", "query") else None)


def test_reply_of_another_form_is_an_error(upstream: ScriptedUpstream, table: Table) -> None:
    wrong: list[Any] = [{"Item": {"id": "k"}}, {"Item": {"id": {"XS": 1}}}, {"Item": []}]
    for document in wrong:
        upstream.script = replies(200, document)
        with pytest.raises(AwsUnreachable, match="InvalidReply"):
            table.get_item({"id": "k"})


def test_keys_that_were_left_out_are_read_by_further_requests(
    upstream: ScriptedUpstream, table: Table
) -> None:
    first, second = {"id": {"S": "1"}}, {"id": {"S": "2"}}
    left = {"UnprocessedKeys": {NAME: {"Keys": [second]}}}
    part = replies(200, {"Responses": {NAME: [first]}, **left})
    upstream.script = one_after_another(part, replies(200, {"Responses": {NAME: [second]}}))
    assert table.get_items([{"id": "1"}, {"id": "2"}]) == [{"id": "1"}, {"id": "2"}]
    assert upstream.requests[-1].document == {"RequestItems": {NAME: {"Keys": [second]}}}
    upstream.requests.clear()
    upstream.script = replies(200, {"Responses": {}, **left})
    with pytest.raises(AwsRefused, match="ProvisionedThroughputExceeded"):
        table.get_items([{"id": "2"}])
    assert len(upstream.requests) == LIMITS.attempts


def test_failed_condition_has_the_item_that_is_there(
    upstream: ScriptedUpstream, table: Table
) -> None:
    failed = {"__type": "a#ConditionalCheckFailedException", "message": "no"}
    for document, item in (({**failed, "Item": ROW}, PLAIN_ROW), (failed, None)):
        upstream.script = replies(400, document)
        with pytest.raises(ConditionFailed) as caught:
            table.update_item({"id": "k"}, "ADD #n :one", FULL_WRITE)
        assert caught.value.item == item
        assert not caught.value.may_be_done


def test_only_writes_that_may_be_done_twice_are_repeated(
    upstream: ScriptedUpstream, table: Table
) -> None:
    add = "ADD #n :one"
    repeated: list[tuple[Callable[[], Any], int]] = [
        (lambda: table.put_item(PLAIN_ROW), 3),
        (lambda: table.delete_item({"id": "k"}), 3),
        (lambda: table.put_item(PLAIN_ROW, FULL_WRITE), 1),
        (lambda: table.delete_item({"id": "k"}, Write(returned="ALL_OLD")), 1),
        (lambda: table.update_item({"id": "k"}, add, Write(**MEANT)), 1),
        (lambda: table.update_item({"id": "k"}, add, Write(**MEANT, may_repeat=True)), 3),
    ]
    upstream.script = replies(500, {"__type": "InternalServerError"})
    for write, attempts in repeated:
        upstream.requests.clear()
        with pytest.raises(AwsRefused) as caught:
            write()
        assert caught.value.may_be_done
        assert len(upstream.requests) == attempts


@pytest.fixture
def real(moto_url: str) -> Iterator[Table]:
    """A table with a sort key, on moto's server."""
    with closing(boto3_client(moto_url)) as client:
        client.create_table(
            TableName=NAME,
            AttributeDefinitions=[
                {"AttributeName": "id", "AttributeType": "S"},
                {"AttributeName": "at", "AttributeType": "N"},
            ],
            KeySchema=[
                {"AttributeName": "id", "KeyType": "HASH"},
                {"AttributeName": "at", "KeyType": "RANGE"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        with closing(table_at(moto_url)) as made:
            yield made
        client.delete_table(TableName=NAME)


def test_items_are_written_read_and_deleted(real: Table) -> None:
    items: list[Item] = [{"id": "k", "at": n, "tags": {"a", "b"}, "blob": b"\0"} for n in range(7)]
    for item in items:
        assert real.put_item(item) is None
    key: Item = {"id": "k", "at": 3}
    assert real.get_item(key) == items[3]
    assert real.get_item({"id": "k", "at": 9}) is None
    wanted: list[Item] = [{"id": "k", "at": n} for n in (1, 2, 9)]
    assert sorted(real.get_items(wanted), key=lambda item: item["at"]) == items[1:3]
    since = Query("id = :k AND #at >= :at", names={"#at": "at"}, values={":k": "k", ":at": 2})
    assert list(real.query(since._replace(page_size=2))) == items[2:]
    assert list(real.query(since._replace(is_descending=True))) == items[:1:-1]
    assert real.delete_item(key, Write(returned="ALL_OLD")) == items[3]
    assert real.get_item(key, is_consistent=True) is None


def test_counter_stops_at_its_condition(real: Table) -> None:
    key: Item = {"id": "k", "at": 0}
    limited = Write(
        "attribute_not_exists(used) OR used < :limit",
        values={":one": 1, ":limit": 2},
        returned="ALL_NEW",
        returns_on_failure=True,
    )
    counts = [real.update_item(key, "ADD used :one", limited) for _ in range(2)]
    assert [count and count["used"] for count in counts] == [1, 2]
    with pytest.raises(ConditionFailed) as caught:
        real.update_item(key, "ADD used :one", limited)
    assert caught.value.item == {**key, "used": 2}
