"""The endpoints as AWS's own client sees them: over TLS, with a certificate it must trust."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from bench.traffic.aws_endpoints import aws_endpoints
from sluice.state.changes import Change, Equals, outcome_of
from sluice.state.dynamodb import DynamoDbState
from sluice.state.item import Item
from tests.sluice.certificate_authority import CertificateAuthority

PARAMETERS = {"/one": "first secret", "/two": "second secret"}
TABLE = "connections"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    authority = CertificateAuthority(tmp_path_factory.mktemp("authority"))
    authority.serving("127.0.0.1")
    return authority


@pytest.fixture(scope="module")
def endpoint(authority: CertificateAuthority) -> Iterator[str]:
    with aws_endpoints(PARAMETERS, str(authority.file.with_name("server.pem"))) as port:
        yield f"https://127.0.0.1:{port}"


def client(service: str, endpoint: str, trusted: Path) -> Any:
    return boto3.Session("access", "secret", region_name="us-east-1").client(
        service,
        endpoint_url=endpoint,
        verify=str(trusted),
        config=Config(retries={"total_max_attempts": 1}),
    )


def test_ssm_gives_the_listed_parameters(endpoint: str, authority: CertificateAuthority) -> None:
    ssm = client("ssm", endpoint, authority.file)
    one = ssm.get_parameter(Name="/one", WithDecryption=True)["Parameter"]
    assert (one["Name"], one["Value"], one["Type"]) == ("/one", "first secret", "SecureString")
    reply = ssm.get_parameters(Names=["/two", "/three", "/one"], WithDecryption=True)
    assert {p["Name"]: p["Value"] for p in reply["Parameters"]} == PARAMETERS
    assert reply["InvalidParameters"] == ["/three"]


def test_what_is_unknown_is_refused_with_aws_own_code(
    endpoint: str, authority: CertificateAuthority
) -> None:
    ssm = client("ssm", endpoint, authority.file)
    for operation, name, code in (
        ("get_parameter", "/three", "ParameterNotFound"),
        ("delete_parameter", "/one", "UnknownOperationException"),
    ):
        with pytest.raises(ClientError) as caught:
            getattr(ssm, operation)(Name=name)
        assert caught.value.response["Error"]["Code"] == code


def test_dynamodb_returns_the_rows_that_were_put(
    endpoint: str, authority: CertificateAuthority
) -> None:
    dynamodb = client("dynamodb", endpoint, authority.file)
    row, key, other = {"id": {"S": "a"}, "n": {"N": "1"}}, {"id": {"S": "a"}}, {"id": {"S": "b"}}
    dynamodb.put_item(TableName=TABLE, Item=row)
    assert dynamodb.get_item(TableName=TABLE, Key=key)["Item"] == row
    assert "Item" not in dynamodb.get_item(TableName=TABLE, Key=other)
    reply = dynamodb.batch_get_item(RequestItems={TABLE: {"Keys": [key, other]}})
    assert (reply["Responses"], reply["UnprocessedKeys"]) == ({TABLE: [row]}, {})


def test_changes_of_the_state_store_are_made(
    endpoint: str, authority: CertificateAuthority
) -> None:
    environ = {
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "access",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_CA_BUNDLE": str(authority.file),
    }
    changes = (
        Change("k", 1_700_000_000.5, add={"n": 2, "m": 1}, put={"text": "a", "old": "b"}),
        Change("k", None, (Equals("text", "a"),), add={"n": -5}, remove=("old",)),
    )
    item: Item = {}
    with closing(DynamoDbState("state", environ)) as store:
        for change in changes:
            expected = outcome_of(change, item)
            assert store.change(change) == expected
            item = expected.item
