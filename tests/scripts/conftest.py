from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import boto3
import pytest
from moto.backends import get_backend

from tests.scripts.tool_stores import CACHE_TABLE, TABLE

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def account(moto_url: str) -> Iterator[dict[str, str]]:
    """The environment of programs in an account of moto that holds nothing yet."""
    ssm = get_backend("ssm")  # imported now, and not within the two seconds that a function waits
    yield {
        "AWS_ENDPOINT_URL": moto_url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        # Lambda sets both.
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    ssm.reset()


@pytest.fixture
def table(account: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The state table of the stage `dev`, in that account."""
    for name, value in account.items():
        monkeypatch.setenv(name, value)  # where boto3 looks
    with created(TABLE):
        yield TABLE


@pytest.fixture
def cache_table(table: str) -> Iterator[str]:
    """The table of its kept answers, next to the state table."""
    del table
    with created(CACHE_TABLE):
        yield CACHE_TABLE


@contextmanager
def created(table: str) -> Iterator[None]:
    with closing(boto3.client("dynamodb")) as client:
        client.create_table(
            TableName=table,
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield
        client.delete_table(TableName=table)
