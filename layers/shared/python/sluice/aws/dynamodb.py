"""A table of DynamoDB, with Python's values instead of typed ones.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB.html
Expressions are DynamoDB's own texts; `names` and `values` say what their #names and :values mean.
"""

from __future__ import annotations

from sluice.aws.attribute_values import plain_item, typed_item
from sluice.aws.errors import AwsRefused, ConditionFailed
from sluice.aws.json_api import Limits
from sluice.aws.json_protocol import Service, invalid_reply
from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any, Literal

    from sluice.aws.attribute_values import Item
    from sluice.aws.json_api import JsonApi

    Returned = Literal["NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW"]
    Attributes = dict[str, Any]

DYNAMODB = Service("dynamodb", "DynamoDB_20120810", "1.0")
LIMITS = Limits(connect_s=1.0, reply_s=1.0, total_s=3.0, attempts=3)
"""DynamoDB answers in a few milliseconds, and what waits for it has two seconds or more."""
MAX_KEYS = 100
"""Maximum number of keys in one `get_items`: BatchGetItem's limit."""
UNPROCESSED = "ProvisionedThroughputExceededException"
"""The code for keys that BatchGetItem left out in every attempt."""


class Write(NamedTuple):
    """How an item is written, for every kind of write.

    returned: what the table held before, or holds afterwards. returns_on_failure: ConditionFailed
    has the item that is there. may_repeat: whether the write does no harm when it is done twice. By
    default that is so for an item that is put or deleted without a condition. Any other write that
    DynamoDB may have done is not sent again: it fails with `AwsError.may_be_done`. total_s: for all
    attempts, instead of LIMITS.
    """

    condition: str = ""
    names: Mapping[str, str] | None = None
    values: Item | None = None
    returned: Returned = "NONE"
    returns_on_failure: bool = False
    may_repeat: bool | None = None
    total_s: float | None = None


PLAIN = Write()


class Query(NamedTuple):
    """Which items to read: those whose keys meet `keys`, and then `filters`.

    page_size: maximum number of items that one request looks at. is_descending: by the sort key.
    """

    keys: str
    filters: str = ""
    names: Mapping[str, str] | None = None
    values: Item | None = None
    index_name: str = ""
    page_size: int | None = None
    is_descending: bool = False
    is_consistent: bool = False


class Table:
    """One table. Any thread may call any method, and every method raises AwsError.

    Reads see what was just written only if `is_consistent`; such a read costs twice as much.
    """

    def __init__(self, name: str, api: JsonApi) -> None:
        self._name = name
        self._api = api

    def get_item(
        self, key: Item, *, is_consistent: bool = False, total_s: float | None = None
    ) -> Attributes | None:
        """The item with a key, or None."""
        request = {"Key": typed_item(key), **_consistency(is_consistent=is_consistent)}
        return _attributes(self._call("GetItem", request, may_repeat=True, total_s=total_s), "Item")

    def get_items(
        self, keys: Sequence[Item], *, is_consistent: bool = False, total_s: float | None = None
    ) -> list[Attributes]:
        """The items with these keys, in any order. The keys are different, at most MAX_KEYS."""
        end = self._api.end_of(total_s)
        consistency = _consistency(is_consistent=is_consistent)
        left: Any = {self._name: {"Keys": [typed_item(key) for key in keys], **consistency}}
        found: list[Attributes] = []
        failures = 0
        while left:
            request = {"RequestItems": left}
            reply = self._api.call("BatchGetItem", request, may_repeat=True, end=end)
            found += _items(reply.get("Responses", {}).get(self._name, ()))
            left = reply.get("UnprocessedKeys")
            if left:
                failures += 1
                error = AwsRefused(UNPROCESSED, message="BatchGetItem left keys out.")
                self._api.wait_to_retry(error, failures, end, may_repeat=True)
        return found

    def put_item(self, item: Item, write: Write = PLAIN) -> Attributes | None:
        """Store an item; it replaces the previous one as a whole, which ALL_OLD returns."""
        return self._write("PutItem", {"Item": typed_item(item)}, write, repeats=_is_plain(write))

    def update_item(self, key: Item, update: str, write: Write = PLAIN) -> Attributes | None:
        """Change attributes of an item, or make it; returns those that `returned` selects."""
        request = {"Key": typed_item(key), "UpdateExpression": update}
        return self._write("UpdateItem", request, write, repeats=False)

    def delete_item(self, key: Item, write: Write = PLAIN) -> Attributes | None:
        """Remove the item with a key, if there is one; ALL_OLD returns it."""
        return self._write("DeleteItem", {"Key": typed_item(key)}, write, repeats=_is_plain(write))

    def query(self, query: Query, *, total_s: float | None = None) -> Iterator[Attributes]:
        """All items that a query means, read page by page; `total_s` is for each page."""
        request: dict[str, Any] = {
            "KeyConditionExpression": query.keys,
            **({"FilterExpression": query.filters} if query.filters else {}),
            **_placeholders(query.names, query.values),
            **({"IndexName": query.index_name} if query.index_name else {}),
            **({"Limit": query.page_size} if query.page_size else {}),
            **({"ScanIndexForward": False} if query.is_descending else {}),
            **_consistency(is_consistent=query.is_consistent),
        }
        while True:
            reply = self._call("Query", request, may_repeat=True, total_s=total_s)
            yield from _items(reply.get("Items"))
            if not reply.get("LastEvaluatedKey"):
                return
            request["ExclusiveStartKey"] = reply["LastEvaluatedKey"]

    def close(self) -> None:
        """Close the kept connections; the next call opens a new one."""
        self._api.close()

    def _write(
        self, operation: str, request: Mapping[str, Any], write: Write, *, repeats: bool
    ) -> Attributes | None:
        on_failure = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        request = {
            **request,
            **({"ConditionExpression": write.condition} if write.condition else {}),
            **_placeholders(write.names, write.values),
            **({"ReturnValues": write.returned} if write.returned != "NONE" else {}),
            **(on_failure if write.returns_on_failure else {}),
        }
        may_repeat = repeats if write.may_repeat is None else write.may_repeat
        try:
            reply = self._call(operation, request, may_repeat=may_repeat, total_s=write.total_s)
        except ConditionFailed as error:
            error.item = _attributes(error.document, "Item")
            raise
        return _attributes(reply, "Attributes")

    def _call(
        self, operation: str, request: Mapping[str, Any], *, may_repeat: bool, total_s: float | None
    ) -> dict[str, Any]:
        end = self._api.end_of(total_s)
        request = {"TableName": self._name, **request}
        return self._api.call(operation, request, may_repeat=may_repeat, end=end)


def _is_plain(write: Write) -> bool:
    """Whether doing it twice gives the same result, to the caller too."""
    return not write.condition and write.returned == "NONE"


def _placeholders(names: Mapping[str, str] | None, values: Item | None) -> dict[str, Any]:
    return {
        **({"ExpressionAttributeNames": dict(names)} if names else {}),
        **({"ExpressionAttributeValues": typed_item(values)} if values else {}),
    }


def _consistency(*, is_consistent: bool) -> dict[str, bool]:
    return {"ConsistentRead": True} if is_consistent else {}


def _attributes(reply: Mapping[str, Any], name: str) -> Attributes | None:
    """The item in a reply, or None."""
    return _items([reply[name]])[0] if name in reply else None


def _items(rows: Any) -> list[Attributes]:
    """The items in a reply. Raises AwsUnreachable for anything else."""
    try:
        return [plain_item(row) for row in rows]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise invalid_reply() from error
