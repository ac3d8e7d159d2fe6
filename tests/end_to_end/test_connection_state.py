"""What $connect and $disconnect leave for other functions, on a stack with its own state file."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from sluice.authentication import principal_of_key
from sluice.aws.sigv4 import Credentials, Scope, presign
from sluice.state.connections import ConnectionLook, ConnectionState
from sluice.state.sqlite import SqliteState
from tests.end_to_end.conftest import FORWARD_KEY
from tests.patient_client import connect
from tests.running_stack import ROOT, RunningStack, stack

if TYPE_CHECKING:
    from pathlib import Path

LOCAL_USER = "arn:aws:iam::123456789012:user/local"
KEYED = {"WEBSOCKET_AUTH": "forward_key", "FORWARD_KEY": FORWARD_KEY}
SIGNED = {"WEBSOCKET_AUTH": "aws_iam"}


def wait_log(running: RunningStack, transport: str) -> dict[str, Any]:
    """The next log line of a function that is of this transport."""
    line = running.wait_line(f'"transport": "{transport}"')
    log: dict[str, Any] = json.loads(line.partition(" | ")[2])
    return log


@pytest.mark.parametrize(
    ("settings", "principal"), [(KEYED, principal_of_key(FORWARD_KEY).name), (SIGNED, LOCAL_USER)]
)
def test_connection_is_known_by_its_principal_and_known_to_be_closed(
    tmp_path: Path, settings: dict[str, str], principal: str
) -> None:
    file = tmp_path / "made" / "own.sqlite3"
    environ = {"STATE_FILE": str(file), "OPENAI_API_KEY": "sk-unused", **settings}
    # With one process a second $connect waits for what the first does after its answer.
    with stack(ROOT / "serverless.yml", "--concurrency", "1", **environ) as running:
        running.wait_ready()
        url = f"{running.websocket_url}/?key={FORWARD_KEY}"
        if settings is SIGNED:
            scope = Scope("us-east-1", "execute-api", time.time())
            url = presign("GET", url, Credentials("local", "local"), scope)
        with connect(url), connect(url):
            opened = wait_log(running, "connect")
        closed = [wait_log(running, "disconnect") for _ in range(2)]
    assert opened["principal"] == principal
    look = ConnectionState(SqliteState(str(file))).look(opened["connection_id"], None, 0)
    assert look == ConnectionLook(principal, is_closed=True, is_cancelled=False)
    assert opened["connection_id"] in {log["connection_id"] for log in closed}
    assert {(log["disconnect_status_code"], log["outcome"]) for log in closed} == {(1000, "ok")}
