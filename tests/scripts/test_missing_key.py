"""A deployed function whose key is not stored, and then is."""

from __future__ import annotations

import io
from functools import partial
from typing import Any

import boto3
import pytest

from scripts.secret_parameters import main
from tests.functions.test_connection_handlers import event, invoke

FORWARD_KEY = "/sluice/dev/forward-key"


def connect_with(key: str, account: dict[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What $connect logs and answers, as deployed: with the name of the key's parameter alone."""
    opening = {**event(), "headers": {"Authorization": f"Bearer {key}"}}
    log, answer, *_ = invoke("connect", opening, FORWARD_KEY_PARAMETER=FORWARD_KEY, **account)
    return log, answer


@pytest.mark.parametrize("key", ["a-key", "None", ""])
def test_door_is_closed_and_the_log_says_why_while_the_key_is_missing(
    account: dict[str, str], key: str
) -> None:
    log, answer = connect_with(key, account)
    assert answer == {"statusCode": 500}
    assert log["outcome"] == "misconfigured"
    assert log["detail"] == (
        "FORWARD_KEY_PARAMETER: expected the name of an SSM parameter this function may read,"
        f" found {FORWARD_KEY}: ParameterNotFound"
    )


def test_stored_key_opens_the_door_to_those_who_have_it(account: dict[str, str]) -> None:
    connect = partial(
        boto3.client,
        endpoint_url=account["AWS_ENDPOINT_URL"],
        aws_access_key_id=account["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=account["AWS_SECRET_ACCESS_KEY"],
    )
    stored = io.StringIO()
    assert (
        main(["set", "forward-key"], io.StringIO("a-key\n"), stored, stored, connect=connect) == 0
    )
    assert connect_with("a-key", account)[1]["statusCode"] == 200
    assert connect_with("another-key", account)[1] == {"statusCode": 401}
