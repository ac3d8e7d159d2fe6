"""A deployed function whose key is not stored, and then is."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from functools import partial
from typing import Any

import boto3
import pytest

from scripts.secret_parameters import main
from tests.functions.test_connection_handlers import ROOT, event, invoke

FORWARD_KEY = "/sluice/dev/forward-key"
MISSING = (
    "FORWARD_KEY_PARAMETER must name an SSM parameter that this function may read"
    f" (got {FORWARD_KEY}: ParameterNotFound)."
)

# Prints the log line of a request, then what the client gets.
ASK = """
import json, sys
from functions.stream.handler import gateway
from tests.sluice.url.asking import answer_to, event_of
event = event_of("POST", "/v1/chat/completions", {}, headers=json.loads(sys.argv[1]))
reply = answer_to(event, gateway)
print(json.dumps([reply.metadata["statusCode"], reply.error["message"]]))
"""


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
    assert log["detail"] == MISSING


@pytest.mark.parametrize("key", ["a-key", "None", ""])
def test_url_is_closed_too_and_tells_its_client_nothing_of_it(
    account: dict[str, str], key: str
) -> None:
    path = os.pathsep.join((".", "layers/runtime/python", "layers/shared/python"))
    settings = {"FUNCTION_URL_AUTH": "none", "FORWARD_KEY_PARAMETER": FORWARD_KEY}
    headers = json.dumps({"authorization": f"Bearer {key}"})
    done = subprocess.run(
        [sys.executable, "-c", ASK, headers],
        cwd=ROOT,
        env={"PYTHONPATH": path, **settings, **account},
        capture_output=True,
        check=True,
        text=True,
    )
    log, told = (json.loads(line) for line in done.stdout.splitlines())
    assert told == [500, "The gateway is misconfigured. Its log says how."]
    assert (log["outcome"], log["detail"]) == ("misconfigured", MISSING)


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
