"""What several tests here open: a state store (moto plays DynamoDB), an authority for TLS."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import boto3
import pytest

from sluice.state.dynamodb import DynamoDbState
from tests.sluice.certificate_authority import CertificateAuthority
from tests.sluice.state.state_opening import NOW_ALWAYS, PATIENT, TABLE, Opening

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority(tmp_path)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> None:
    # The clients read region and credentials from the environment, as on Lambda.
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)


@pytest.fixture
def table(
    account: None,  # noqa: ARG001 -- what boto3 signs with
    moto_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Opening]:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", moto_url)
    client = boto3.client("dynamodb")
    client.create_table(
        TableName=TABLE,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    opened: list[DynamoDbState] = []

    def opening(clock: Callable[[], float] = NOW_ALWAYS) -> DynamoDbState:
        opened.append(DynamoDbState(TABLE, os.environ, clock, PATIENT, total_s=PATIENT.total_s))
        return opened[-1]

    yield opening
    for state in opened:
        state.close()
    client.delete_table(TableName=TABLE)
    client.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "made" / "when" / "missing" / "state.sqlite3"
