"""A deployed function whose key is not stored, and then is."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from tests.child_environment import LAYERS, ROOT
from tests.functions.test_connection_handlers import event, invoke
from tests.scripts.test_secret_parameters import connect_to, run_with

FORWARD_KEY = "/sluice/dev/forward-key"
MISSING = (
    "FORWARD_KEY_PARAMETER must name an SSM parameter that this function may read"
    f" (got {FORWARD_KEY}: ParameterNotFound)."
)
KEYS = ["a-key-of-clients", "None"]

# For each key, prints the log line of a request, then what the client gets.
ASK = """
import json, sys
from functions.stream.handler import gateway
from tests.sluice.url.asking import answer_to, event_of
for key in json.loads(sys.argv[1]):
    headers = {"authorization": f"Bearer {key}"}
    reply = answer_to(event_of("POST", "/v1/chat/completions", {}, headers=headers), gateway)
    print(json.dumps([reply.metadata["statusCode"], reply.error["message"]]))
"""


def connect_with(key: str, account: dict[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the log line and the answer of $connect, which knows the parameter's name alone."""
    opening = {**event(), "headers": {"Authorization": f"Bearer {key}"}}
    log, answer, *_ = invoke("connect", opening, FORWARD_KEY_PARAMETER=FORWARD_KEY, **account)
    return log, answer


def test_websocket_opens_once_the_key_is_stored_to_those_who_have_it(
    account: dict[str, str],
) -> None:
    log, answer = connect_with("None", account)
    assert answer == {"statusCode": 500}
    assert (log["outcome"], log["detail"]) == ("misconfigured", MISSING)
    assert run_with(connect_to(account), "set", "forward-key", value="a-key-of-clients\n")[0] == 0
    assert connect_with("a-key-of-clients", account)[1]["statusCode"] == 200
    assert connect_with("another-key", account)[1] == {"statusCode": 401}


def test_url_is_closed_while_the_key_is_missing_and_its_client_learns_nothing(
    account: dict[str, str],
) -> None:
    settings = {"FUNCTION_URL_AUTH": "none", "FORWARD_KEY_PARAMETER": FORWARD_KEY}
    printed = subprocess.check_output(
        [sys.executable, "-c", ASK, json.dumps(KEYS)],
        cwd=ROOT,
        env={"PYTHONPATH": LAYERS, **settings, **account},
        text=True,
    )
    lines = [json.loads(line) for line in printed.splitlines()]
    assert len(lines) == 2 * len(KEYS)
    for log, reply in zip(lines[::2], lines[1::2], strict=True):
        assert reply == [500, "The gateway is misconfigured. Its log says how."]
        assert (log["outcome"], log["detail"]) == ("misconfigured", MISSING)
