"""The state store of a deployment: a DynamoDB table with the key `id` and the TTL `expires_at`.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html
"""

from __future__ import annotations

import math
import time
from contextlib import contextmanager

from sluice.aws.dynamodb import DYNAMODB, LIMITS, Table, Write
from sluice.aws.errors import AwsError, AwsRefused, ConditionFailed
from sluice.aws.json_api import JsonApi
from sluice.errors import StateUnavailable
from sluice.state.changes import Outcome
from sluice.state.expressions import EXPIRY, KEY, expressions_of
from sluice.state.store import distinct_keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sluice.aws.json_api import Limits
    from sluice.state.changes import Change
    from sluice.state.item import Item

TOTAL_S = 1.0
"""Maximum time of a read or a change, its attempts included: a client waits for it, and requests
that nothing but the store bounds go on without it afterwards."""


class DynamoDbState:
    """A StateStore in the DynamoDB table `table`.

    environ, limits: see JsonApi. clock: seconds since 1970. total_s: for a read or a change, its
    attempts included. Readers treat an expired item as absent; DynamoDB removes it within days.
    """

    def __init__(
        self,
        table: str,
        environ: Mapping[str, str],
        clock: Callable[[], float] = time.time,
        limits: Limits = LIMITS,
        total_s: float = TOTAL_S,
    ) -> None:
        self._total_s = total_s
        self._table = Table(table, JsonApi(DYNAMODB, environ, limits))
        self._clock = clock

    def put(self, key: str, item: Item, expires_at: float) -> None:
        row = {**item, KEY: key, EXPIRY: math.ceil(expires_at)}
        with table_errors("state table", "PutItem"):
            self._table.put_item(row)

    def get_all(self, keys: Sequence[str], *, is_consistent: bool = False) -> dict[str, Item]:
        names = distinct_keys(keys)
        if not names:
            return {}
        wanted: list[Item] = [{KEY: name} for name in names]
        with table_errors("state table", "BatchGetItem"):
            rows = self._table.get_items(wanted, is_consistent=is_consistent, total_s=self._total_s)
        now = self._clock()
        return {row[KEY]: _item(row) for row in rows if row.get(EXPIRY, now + 1) > now}

    def change(self, change: Change) -> Outcome:
        update, condition, names, values = expressions_of(change)
        write = Write(
            condition,
            names,
            values,
            returned="ALL_NEW",
            returns_on_failure=True,
            may_repeat=change.may_repeat,
            total_s=self._total_s,
        )
        with table_errors("state table", "UpdateItem"):
            try:
                row = self._table.update_item({KEY: change.key}, update, write)
            except ConditionFailed as error:
                return Outcome(was_applied=False, item=_item(error.item or {}))
        return Outcome(was_applied=True, item=_item(row or {}))

    def close(self) -> None:
        self._table.close()


def _item(row: Mapping[str, str | int]) -> Item:
    return {name: value for name, value in row.items() if name not in (KEY, EXPIRY)}


@contextmanager
def table_errors(table: str, operation: str) -> Iterator[None]:
    """AWS's errors within the block become StateUnavailable.

    table: for people. operation: its name in AWS's API.
    """
    try:
        yield
    except AwsError as error:
        what = "refused" if isinstance(error, AwsRefused) else "did not answer"
        message = f"The {table} {what} {operation}: {error}."
        raise StateUnavailable(message, may_be_done=error.may_be_done) from error
