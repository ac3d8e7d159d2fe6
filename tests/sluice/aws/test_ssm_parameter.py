"""Parameters against moto's Parameter Store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from sluice.aws.ssm_parameter import read_parameter

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def parameter_store(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # boto3 reads its region and credentials from the environment, as on Lambda.
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield


@pytest.mark.usefixtures("parameter_store")
def test_secure_string_is_decrypted() -> None:
    boto3.client("ssm").put_parameter(Name="/sluice/dev/key", Value="sk-1", Type="SecureString")
    assert read_parameter("/sluice/dev/key") == "sk-1"


@pytest.mark.usefixtures("parameter_store")
def test_missing_parameter_is_a_lookup_error_with_awss_code() -> None:
    with pytest.raises(LookupError, match="ParameterNotFound"):
        read_parameter("/sluice/dev/none")
