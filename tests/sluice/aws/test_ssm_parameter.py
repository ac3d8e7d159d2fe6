"""Parameters compared with moto's Parameter Store."""

from __future__ import annotations

import boto3
import pytest
from moto import mock_aws

from sluice.aws.ssm_parameter import read_parameter


@pytest.mark.usefixtures("account")
def test_secure_string_is_decrypted_and_a_missing_one_is_a_lookup_error() -> None:
    with mock_aws():
        boto3.client("ssm").put_parameter(Name="/dev/key", Value="sk-1", Type="SecureString")
        assert read_parameter("/dev/key") == "sk-1"
        with pytest.raises(LookupError, match="ParameterNotFound"):
            read_parameter("/dev/none")
