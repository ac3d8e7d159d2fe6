"""The cache of a deployment, for the tool: its DynamoDB table, through boto3."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from scripts.access.dynamodb import PAUSES_S, DynamoDbItems
from scripts.access.errors import ToolError
from scripts.cache.entries import Entry
from sluice.aws.attribute_values import plain_item, typed_item
from sluice.cache.dynamodb import SIZE, STORED_AT
from sluice.state.expressions import EXPIRY, KEY

MAX_BATCH = 25
"""Maximum number of items in one BatchWriteItem."""


class DynamoDbEntries(DynamoDbItems):
    """A CacheEntries in the cache table of a stage. A scan reads all of each answer."""

    POLICY = "docs/cache.md"
    HOW = " with CACHE_CHAT_COMPLETION=true"

    def entries(self) -> Iterator[Entry]:
        for page in self._pages(KEY, SIZE, STORED_AT, EXPIRY):
            for item in page:
                if SIZE in item:  # the head, not a part
                    yield Entry(item[SIZE], item[STORED_AT], item[EXPIRY])

    def clear(self) -> int:
        count = 0
        for page in self._pages(KEY, SIZE):
            for start in range(0, len(page), MAX_BATCH):
                self._delete([{KEY: item[KEY]} for item in page[start : start + MAX_BATCH]])
            count += sum(SIZE in item for item in page)
        return count

    def _pages(self, *names: str) -> Iterator[list[dict[str, Any]]]:
        """The items, page by page, with these attributes."""
        placeholders = {f"#{number}": name for number, name in enumerate(names)}
        request = {
            "TableName": self._table,
            "ProjectionExpression": ", ".join(placeholders),
            "ExpressionAttributeNames": placeholders,
        }
        while True:
            reply = self._call("Scan", lambda client: client.scan(**request))
            yield [plain_item(item) for item in reply["Items"]]
            if "LastEvaluatedKey" not in reply:
                return
            request["ExclusiveStartKey"] = reply["LastEvaluatedKey"]

    def _delete(self, keys: list[dict[str, str]]) -> None:
        left: Any = {self._table: [{"DeleteRequest": {"Key": typed_item(key)}} for key in keys]}
        for pause_s in (*PAUSES_S, None):
            reply = self._call("BatchWriteItem", _batch_write(left))
            left = reply.get("UnprocessedItems")
            if not left:
                return
            if pause_s is not None:
                self._sleep(pause_s)
        raise ToolError(f"The table {self._table} is busy. Run the command again: it goes on.")


def _batch_write(items: Mapping[str, Any]) -> Callable[[Any], Any]:
    return lambda client: client.batch_write_item(RequestItems=items)
