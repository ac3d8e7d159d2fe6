"""The handlers of $connect, $disconnect and control, each in a process of its own as on Lambda."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sluice.state.connections import ConnectionState
from sluice.state.sqlite import SqliteState
from tests.child_environment import LAYERS

# Prints the answer before what was handed to after_response is called, as the runtime posts it.
INVOKE = """
import importlib, json, sys, types
from awslambda import deferral
handler = importlib.import_module(f"functions.{sys.argv[1]}.handler").handler
deferral.begin()
context = types.SimpleNamespace(get_remaining_time_in_millis=lambda: 10_000)
print(json.dumps(handler(json.loads(sys.argv[2]), context)))
deferral.run_pending(lambda error: print(json.dumps(repr(error))))
print(json.dumps(sorted({"boto3", "sqlite3"} & set(sys.modules))))
"""


def invoke(function: str, event: dict[str, Any], **environ: str) -> list[Any]:
    """The JSON lines that it prints: log lines, its answer, and which stores were imported."""
    done = subprocess.run(
        [sys.executable, "-c", INVOKE, function, json.dumps(event)],
        env={"PYTHONPATH": LAYERS, **environ},
        capture_output=True,
        check=True,
        text=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def event(**more: Any) -> dict[str, Any]:
    return {"requestContext": {"connectionId": "c", "requestId": "r", **more}}


def test_connection_is_recorded_once_its_client_has_the_answer(tmp_path: Path) -> None:
    file = str(tmp_path / "state.sqlite3")
    log, answer, stores = invoke("connect", event(), STATE_FILE=file, WEBSOCKET_AUTH="none")
    assert answer == {"statusCode": 200, "headers": {}}
    assert log["principal"] == "anonymous"
    assert stores == ["sqlite3"]
    assert ConnectionState(SqliteState(file)).look("c", None, 0).principal == "anonymous"


def test_refused_client_leaves_no_record(tmp_path: Path) -> None:
    file = tmp_path / "state.sqlite3"
    _, answer, stores = invoke(
        "connect", event(), STATE_FILE=str(file), FORWARD_KEY="fk-secret-0123456789"
    )
    assert answer == {"statusCode": 401}
    assert stores == []
    assert not file.exists()


def test_client_is_let_in_where_it_cannot_be_recorded(tmp_path: Path) -> None:
    file = str(tmp_path / "file" / "state.sqlite3")
    (tmp_path / "file").touch()
    log, answer, failure, _ = invoke("connect", event(), STATE_FILE=file, WEBSOCKET_AUTH="none")
    assert answer["statusCode"] == 200
    assert (log["outcome"], failure["outcome"]) == ("ok", "state_unavailable")


def test_disconnect_closes_and_logs_after_its_answer(tmp_path: Path) -> None:
    file = str(tmp_path / "state.sqlite3")
    closed = event(disconnectStatusCode=1001)
    answer, log, _ = invoke("disconnect", closed, STATE_FILE=file)
    assert answer == {"statusCode": 200}
    assert (log["transport"], log["disconnect_status_code"]) == ("disconnect", 1001)
    assert ConnectionState(SqliteState(file)).look("c", None, 0).is_closed


def test_cancel_is_recorded_after_its_answer(tmp_path: Path) -> None:
    file = str(tmp_path / "state.sqlite3")
    cancel = {
        **event(domainName="abc.example.com", stage="dev", requestTimeEpoch=5),
        "body": '{"action": "cancel", "id": "7"}',
    }
    answer, log, stores = invoke("control", cancel, STATE_FILE=file)
    assert answer == {"statusCode": 200}
    assert (log["kind"], log["outcome"], stores) == ("cancel", "ok", ["sqlite3"])
    assert ConnectionState(SqliteState(file)).look("c", "7", 5).is_cancelled


@pytest.mark.parametrize("function", ["connect", "disconnect"])
def test_deployment_without_a_store_needs_none(function: str) -> None:
    lines = invoke(function, event(), WEBSOCKET_AUTH="none", STATE_TABLE="", STATE_FILE="")
    assert lines[-1] == []
    assert any(line.get("statusCode") == 200 for line in lines[:-1])
