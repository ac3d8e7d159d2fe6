"""The state store of a deployment, for tools: its DynamoDB table, through boto3."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import boto3
from botocore.config import Config

from scripts.access.aws_errors import AWS_ERRORS, code_of, remedy
from scripts.access.errors import ToolError
from sluice.aws.attribute_values import plain_item, typed_item
from sluice.state.changes import Change
from sluice.state.expressions import EXPIRY, KEY, expressions_of
from sluice.state.item import Item

CONFIG = Config(
    connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 5}
)
"""A page of a scan has up to 1 MB."""
PAUSES_S = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
"""Before further attempts of a transaction that met others on the same item: a busy key's item
changes hundreds of times a second."""
NOT_MET = "ConditionalCheckFailed"
PASSING = {"None", "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
"""Reasons of a cancelled transaction that another attempt may be without.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html"""
REMEDIES = {
    "ResourceNotFoundException": "Check --stage and --region, and that the stage is deployed{how}.",
    "AccessDeniedException": "Check the credentials (AWS_PROFILE) and the policy in {policy}.",
}


class DynamoDbItems:
    """A ToolStore in the table `table`.

    session: makes the client; see boto3.Session. clock: Unix time.
    """

    POLICY = "docs/keys.md"
    """The page with the permissions that the tool needs."""
    HOW = ""
    """How a stage is deployed that has the table."""

    def __init__(
        self,
        table: str,
        session: boto3.Session,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._table = table
        self._session = session
        self._clock = clock
        self._sleep = sleep
        self._client: Any = None

    def items(self, prefix: str) -> dict[str, Item]:
        rows = self._call("Scan", lambda client: list(self._scanned(client, prefix)))
        return dict(sorted(self._alive(rows).items()))

    def get_all(self, keys: Sequence[str]) -> dict[str, Item]:
        rows: list[Any] = []
        left: Any = {}
        if keys:
            wanted = [typed_item({KEY: key}) for key in dict.fromkeys(keys)]
            left = {self._table: {"Keys": wanted, "ConsistentRead": True}}
        while left:
            reply = self._call("BatchGetItem", _batch_read(left))
            rows += reply["Responses"].get(self._table, [])
            left = reply.get("UnprocessedKeys")
        return self._alive(rows)

    def change_all(self, changes: Sequence[Change]) -> bool:
        writes = [{"Update": self._update(change)} for change in changes]
        for pause_s in (*PAUSES_S, None):
            reasons = self._call("TransactWriteItems", lambda client: _transaction(client, writes))
            if not reasons:
                return True
            if NOT_MET in reasons:
                return False
            if pause_s is None or not reasons <= PASSING:
                break
            self._sleep(pause_s)
        raise ToolError(
            f"The table {self._table} did not take the change ({', '.join(reasons - {'None'})})."
            " Try again."
        )

    def _scanned(self, client: Any, prefix: str) -> Iterable[Any]:
        pages = client.get_paginator("scan").paginate(
            TableName=self._table,
            ConsistentRead=True,
            FilterExpression="begins_with(#key, :prefix)",
            ExpressionAttributeNames={"#key": KEY},
            ExpressionAttributeValues=typed_item({":prefix": prefix}),
        )
        for page in pages:
            yield from page["Items"]

    def _alive(self, rows: Iterable[Any]) -> dict[str, Item]:
        now = self._clock()
        found: dict[str, Item] = {}
        for row in map(plain_item, rows):
            key, expires_at = row.pop(KEY), row.pop(EXPIRY, None)
            if expires_at is None or expires_at > now:
                found[key] = row
        return found

    def _update(self, change: Change) -> dict[str, Any]:
        made = expressions_of(change)
        return {
            "TableName": self._table,
            "Key": typed_item({KEY: change.key}),
            "UpdateExpression": made.update,
            **({"ConditionExpression": made.condition} if made.condition else {}),
            **({"ExpressionAttributeNames": made.names} if made.names else {}),
            **({"ExpressionAttributeValues": typed_item(made.values)} if made.values else {}),
        }

    def _call(self, operation: str, call: Callable[[Any], Any]) -> Any:
        try:
            if self._client is None:
                self._client = self._session.client("dynamodb", config=CONFIG)
            return call(self._client)
        except AWS_ERRORS as error:
            code = code_of(error)
        region = self._session.region_name
        raise ToolError(
            f"The table {self._table} in {region} did not answer {operation} ({code})."
            f" {remedy(code, REMEDIES).format(policy=self.POLICY, how=self.HOW)}"
        )


def _batch_read(items: Mapping[str, Any]) -> Callable[[Any], Any]:
    return lambda client: client.batch_get_item(RequestItems=items)


def _transaction(client: Any, writes: Sequence[Mapping[str, Any]]) -> set[str]:
    """Why it was cancelled: an empty set if it was not.

    boto3 gives it a token, by which DynamoDB knows a request that is sent twice.
    """
    try:
        client.transact_write_items(TransactItems=writes)
    except client.exceptions.TransactionCanceledException as error:
        return {reason["Code"] for reason in error.response["CancellationReasons"]}
    return set()
