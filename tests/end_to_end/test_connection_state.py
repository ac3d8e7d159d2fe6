"""What $connect and $disconnect leave for other functions, on a stack with its own state file."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from websockets.sync.client import connect

from sluice.aws.sigv4 import Credentials, Scope, presign
from sluice.state.connections import ConnectionLook, ConnectionState
from sluice.state.sqlite import SqliteState
from tests.end_to_end.conftest import FORWARD_KEY
from tests.running_stack import ROOT, RunningStack, stack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCAL_USER = "arn:aws:iam::123456789012:user/local"


def wait_log(running: RunningStack, transport: str) -> dict[str, Any]:
    """The next log line of a function that is of this transport."""
    line = running.wait_line(f'"transport": "{transport}"')
    log: dict[str, Any] = json.loads(line.partition(" | ")[2])
    return log


def presigned(url: str) -> str:
    scope = Scope("us-east-1", "execute-api", datetime.now(UTC))
    return presign("GET", url, Credentials("local", "local"), scope)


@contextmanager
def one_process_per_function(file: Path, **settings: str) -> Iterator[RunningStack]:
    """A second $connect then waits for what the first does after its answer."""
    environ = {"STATE_FILE": str(file), "OPENAI_API_KEY": "sk-unused", **settings}
    with stack(ROOT / "serverless.yml", "--concurrency", "1", **environ) as running:
        running.wait_ready()
        yield running


def test_connection_is_known_by_its_key_and_known_to_be_closed(tmp_path: Path) -> None:
    file = tmp_path / "made" / "own.sqlite3"
    settings = {"WEBSOCKET_AUTH": "forward_key", "FORWARD_KEY": FORWARD_KEY}
    with one_process_per_function(file, **settings) as running:
        url = f"{running.websocket_url}/?key={FORWARD_KEY}"
        with connect(url), connect(url):
            opened = wait_log(running, "connect")
        closed = [wait_log(running, "disconnect") for _ in range(2)]
    assert opened["principal"].startswith("key-")
    look = ConnectionState(SqliteState(str(file))).look(opened["connection_id"], None, 0)
    assert look == ConnectionLook(opened["principal"], is_closed=True, is_cancelled=False)
    assert opened["connection_id"] in {log["connection_id"] for log in closed}
    assert {(log["disconnect_status_code"], log["outcome"]) for log in closed} == {(1000, "ok")}


def test_signed_connection_is_known_by_its_signer(tmp_path: Path) -> None:
    file = tmp_path / "own.sqlite3"
    with one_process_per_function(file, WEBSOCKET_AUTH="aws_iam") as running:
        url = presigned(f"{running.websocket_url}/")
        with connect(url), connect(url):
            opened = wait_log(running, "connect")
            look = ConnectionState(SqliteState(str(file))).look(opened["connection_id"], None, 0)
    assert opened["principal"] == LOCAL_USER
    assert look.principal == LOCAL_USER
