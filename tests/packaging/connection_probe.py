"""Runs the deployed $connect and $disconnect with the account's parameters and its table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.awslambda.scripted_runtime_api import RuntimeApi
from tests.packaging.cloud_account import CloudAccount
from tests.packaging.deployed_function import layers_of, started
from tests.packaging.lambda_layout import lay_out, lone_python

KEY = "fk-test-deployed"
QUERIES = {"right key": {"key": KEY}, "wrong key": {"key": "another"}, "no key": None}


@dataclass(frozen=True, slots=True)
class ConnectionProbe:
    """$connect's status for each connection, and the ids in the table afterwards."""

    statuses: dict[str, int]
    recorded: set[str]


def probe_connections(
    account: CloudAccount, functions: Mapping[str, Mapping[str, Any]], artifacts: Path, folder: Path
) -> ConnectionProbe:
    """Open connections with and without the right key, and close the accepted one."""
    settings = functions["connect"]["Environment"]["Variables"]
    account.client("ssm").put_parameter(
        Name=settings["FORWARD_KEY_PARAMETER"], Type="SecureString", Value=KEY
    )

    @contextmanager
    def running(name: str) -> Iterator[RuntimeApi]:
        deployed = functions[name]
        lay_out(artifacts, name, layers_of(deployed), folder / name)
        python = lone_python(folder / name / "python")
        with started(deployed, python, folder / name, **account.environment) as api:
            api.expect_next()
            yield api

    with running("connect") as api:
        statuses = {name: invoke(api, name, query) for name, query in QUERIES.items()}
    with running("disconnect") as api:
        invoke(api, "right key", None)
    table = account.client("dynamodb").scan(TableName=settings["STATE_TABLE"])
    return ConnectionProbe(statuses, {item["id"]["S"] for item in table["Items"]})


def invoke(api: RuntimeApi, connection_id: str, query: Mapping[str, str] | None) -> int:
    """Give the function one event, and wait for its answer and the work after it."""
    event = {
        "headers": {},
        "queryStringParameters": query,
        "requestContext": {"connectionId": connection_id, "requestId": "r"},
    }
    api.give_event(json.dumps(event).encode())
    status: int = json.loads(api.expect_answer().body)["statusCode"]
    api.expect_next()
    return status
