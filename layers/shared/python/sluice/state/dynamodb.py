"""The state store of a deployment: a DynamoDB table with the key `id` and the TTL `expires_at`.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html
"""

from __future__ import annotations

import math
import time
from contextlib import contextmanager

from sluice.aws.dynamodb import DYNAMODB, LIMITS, Table
from sluice.aws.errors import AwsError, AwsRefused
from sluice.aws.json_api import JsonApi
from sluice.errors import StateUnavailable
from sluice.state.store import distinct_keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sluice.state.store import Item


class DynamoDbState:
    """A StateStore in the DynamoDB table `table`.

    environ: see JsonApi. clock: seconds since 1970. Readers treat an expired item as absent;
    DynamoDB removes it within days.
    """

    def __init__(
        self, table: str, environ: Mapping[str, str], clock: Callable[[], float] = time.time
    ) -> None:
        self._table = Table(table, JsonApi(DYNAMODB, environ, LIMITS))
        self._clock = clock

    def put(self, key: str, item: Item, expires_at: float) -> None:
        with _state_errors("PutItem"):
            self._table.put_item({"id": key, "item": item, "expires_at": math.ceil(expires_at)})

    def get_all(self, keys: Sequence[str]) -> dict[str, Item]:
        names = distinct_keys(keys)
        if not names:
            return {}
        with _state_errors("BatchGetItem"):
            rows = self._table.get_items([{"id": name} for name in names])
        now = self._clock()
        return {row["id"]: row["item"] for row in rows if row["expires_at"] > now}


@contextmanager
def _state_errors(operation: str) -> Iterator[None]:
    try:
        yield
    except AwsError as error:
        what = "refused" if isinstance(error, AwsRefused) else "did not answer"
        raise StateUnavailable(f"The state table {what} {operation}: {error}.") from error
