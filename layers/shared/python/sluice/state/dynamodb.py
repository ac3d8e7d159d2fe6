"""The state store of a deployment: a DynamoDB table with the key `id` and the TTL `expires_at`.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from sluice.errors import StateUnavailable
from sluice.state.store import Item, distinct_keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Seconds. DynamoDB answers in a few ms. A look happens about once a second during an answer, and a
# client that cancels waits two seconds; $connect has 10 s, most of them for the import.
CONNECT_TIMEOUT_S = 1
READ_TIMEOUT_S = 1
TOTAL_ATTEMPTS = 2  # a kept connection may have died while Lambda froze the process


class DynamoDbState:
    """A StateStore in the DynamoDB table `table`.

    boto3 takes region, credentials and endpoint from the environment. Readers treat an expired item
    as absent; DynamoDB removes it within days.
    """

    def __init__(self, table: str, clock: Callable[[], float] = time.time) -> None:
        self._table = table
        self._clock = clock
        self._client: Any = None

    def put(self, key: str, item: Item, expires_at: float) -> None:
        row = {
            "id": {"S": key},
            "item": {"M": {name: _attribute(value) for name, value in item.items()}},
            "expires_at": {"N": str(math.ceil(expires_at))},
        }
        self._call("PutItem", lambda client: client.put_item(TableName=self._table, Item=row))

    def get_all(self, keys: Sequence[str]) -> dict[str, Item]:
        names = distinct_keys(keys)
        if not names:
            return {}
        asked = {self._table: {"Keys": [{"id": {"S": name}} for name in names]}}
        reply = self._call("BatchGetItem", lambda client: client.batch_get_item(RequestItems=asked))
        if reply.get("UnprocessedKeys"):
            raise StateUnavailable("The state table throttled BatchGetItem.")
        rows = (row for row in reply["Responses"].get(self._table, []))
        now = self._clock()
        return {row["id"]["S"]: _item(row) for row in rows if int(row["expires_at"]["N"]) > now}

    def _call(self, operation: str, call: Callable[[Any], Any]) -> Any:
        try:
            if self._client is None:
                self._client = _client()
            return call(self._client)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            raise StateUnavailable(f"The state table refused {operation}: {code}.") from error
        except (BotoCoreError, ValueError) as error:  # ValueError: an invalid endpoint
            raise StateUnavailable(f"The state table did not answer {operation}.") from error


def _client() -> Any:
    config = Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": TOTAL_ATTEMPTS},
    )
    # Its own session: boto3's default session is not safe for several threads.
    return boto3.Session().client("dynamodb", config=config)


def _attribute(value: str | int) -> dict[str, str]:
    return {"N": str(value)} if isinstance(value, int) else {"S": value}


def _item(row: Mapping[str, Any]) -> Item:
    attributes = row["item"]["M"].items()
    return {name: int(value["N"]) if "N" in value else value["S"] for name, value in attributes}
