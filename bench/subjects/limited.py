"""`stream` functions for keys with and without limits, and the round trip to a store by itself."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.measurement.child_process import StartFailedError
from bench.measurement.machine import CHECKOUT
from bench.measurement.process_cost import cpu_s
from bench.subjects.runtimes import our_runtime, running
from bench.traffic.function_events import url_event
from bench.traffic.model_stream import MODEL, StreamShape, first_byte_us
from bench.traffic.runtime_api import measuring_runtime_api
from sluice.access.records import Record, item_of
from sluice.authentication import account_of_key
from sluice.state.changes import Change
from sluice.state.dynamodb import DynamoDbState
from sluice.state.sqlite import SqliteState

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AsyncExitStack
    from pathlib import Path

    from bench.traffic.runtime_api import MeasuringRuntimeApi

HOST = "127.0.0.1"
TABLE = "sluice-bench-state"
PLAIN_KEY, TEAM_KEY = "sk-client-of-the-bench", "sk-sluice-of-the-bench"
MANY = 10**12
TEAM = Record(
    "team",
    token=account_of_key(TEAM_KEY).removeprefix("key "),
    rpm_limit=MANY,
    tpm_limit=MANY,
    max_budget=MANY,
    budget_duration="1d",
)
PRICES = json.dumps({MODEL: {"input": 1, "output": 2}})
ONE_CHUNK = StreamShape(1, 250, 0)
REGION = {
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
}
JSON = {
    "content-type": "application/x-amz-json-1.0",
    "x-amz-target": "DynamoDB_20120810.UpdateItem",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """Milliseconds until the first byte, and of CPU until the function waits for its next event."""

    first_byte_ms: float
    cpu_ms: float


class Function:
    """A running function; each request presents the same key."""

    def __init__(self, api: MeasuringRuntimeApi, pid: int, key: str) -> None:
        self._api = api
        self._pid = pid
        self._event = url_event(ONE_CHUNK, key)

    async def ask(self) -> Asked:
        before_s = cpu_s(self._pid)
        record = await self._api.invoke(self._event)
        await self._api.wait_until_idle()
        spent_s = cpu_s(self._pid) - before_s
        found_us = first_byte_us(record)
        if not found_us:
            raise StartFailedError(f"unexpected answer: {record.pieces}")
        return Asked(found_us[0] / 1000, spent_s * 1000)


@dataclass(frozen=True, slots=True)
class Place:
    """What all functions have. python, opt: see `our_runtime`. authority: signs all certificates.

    folder: for the SQLite file. dynamodb_port: on loopback.
    """

    python: str
    opt: Path
    authority: Path
    folder: Path
    dynamodb_port: int

    @property
    def file(self) -> Path:
        return self.folder / "state.sqlite3"

    @property
    def dynamodb(self) -> dict[str, str]:
        endpoint = f"https://{HOST}:{self.dynamodb_port}"
        return {"AWS_ENDPOINT_URL": endpoint, "AWS_CA_BUNDLE": str(self.authority)}

    def add_record(self) -> None:
        """Write the record of TEAM_KEY into both stores."""
        table = DynamoDbState(TABLE, {**REGION, **self.dynamodb})
        for store in (table, SqliteState(str(self.file))):
            store.change(Change(TEAM.key, None, put=item_of(TEAM)))
        table.close()

    async def start(
        self, upstream_port: int, key: str, store: Mapping[str, str], open_things: AsyncExitStack
    ) -> Function:
        """Start a function. key: what its requests present. store: the settings that name it."""
        environ = {
            "OPENAI_BASE_URL": f"https://{HOST}:{upstream_port}/v1",
            "OPENAI_API_KEY": "sk-upstream",
            "FUNCTION_URL_AUTH": "none",
            "WEBSOCKET_AUTH": "none",
            "FORWARD_KEY": PLAIN_KEY,
            "MODEL_PRICES": PRICES,
            "SSL_CERT_FILE": str(self.authority),
            **store,
        }
        handler = "functions/stream/handler.handler"
        start = our_runtime(self.python, self.opt, CHECKOUT, handler, environ)
        api = await open_things.enter_async_context(measuring_runtime_api())
        process = open_things.enter_context(ExitStack()).enter_context(running(start, api.address))
        return Function(api, process.pid, key)


class RoundTrips:
    """One change of an item in each store, by the shortest way from this process."""

    def __init__(self, place: Place) -> None:
        context = ssl.create_default_context(cafile=str(place.authority))
        self._table = http.client.HTTPSConnection(HOST, place.dynamodb_port, context=context)
        self._file = SqliteState(str(place.file))
        self._change = Change("a round trip", None, add={"n": 1})
        asked = {
            "TableName": TABLE,
            "Key": {"id": {"S": "a round trip"}},
            "UpdateExpression": "SET #0 = if_not_exists(#0, :0) + :1",
            "ExpressionAttributeNames": {"#0": "n"},
            "ExpressionAttributeValues": {":0": {"N": "0"}, ":1": {"N": "1"}},
            "ReturnValues": "ALL_NEW",
        }
        self._body = json.dumps(asked).encode()

    def sqlite_ms(self) -> float:
        began_ns = time.monotonic_ns()
        self._file.change(self._change)
        return (time.monotonic_ns() - began_ns) / 1e6

    def dynamodb_ms(self) -> float:
        began_ns = time.monotonic_ns()
        self._table.request("POST", "/", self._body, JSON)
        reply = self._table.getresponse()
        reply.read()
        if reply.status != http.client.OK:
            raise StartFailedError(f"DynamoDB's stand-in answered with status {reply.status}")
        return (time.monotonic_ns() - began_ns) / 1e6

    def close(self) -> None:
        self._table.close()
