"""$connect and $disconnect: who is let in, as what, and what others are told."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from sluice.aws.ssm_parameter import read_parameter
from sluice.key_ring import KeyRing
from sluice.settings import read_settings
from sluice.state.connections import ConnectionState
from sluice.state.sqlite import SqliteState
from sluice.websocket.admission import Admission, admit, record_closed, record_opened
from sluice.websocket.events import ConnectRequest, DisconnectEvent, parse_connect

if TYPE_CHECKING:
    from pathlib import Path

USER = "arn:aws:iam::123456789012:user/jo"


def connect(
    headers: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
    identity: dict[str, str] | None = None,
    **environ: str,
) -> Admission:
    settings = read_settings({"FORWARD_KEY": "fk-1,fk-2", **environ})
    event = {
        "requestContext": {"connectionId": "c", "requestId": "r", "identity": identity or {}},
        "headers": headers or {},
        **({"queryStringParameters": query} if query else {}),
    }
    return admit(parse_connect(event), settings, KeyRing(settings.forward_keys, read_parameter))


@pytest.mark.parametrize(
    ("headers", "query", "protocol"),
    [
        ({"Authorization": "Bearer fk-1"}, {}, None),
        ({}, {"key": "fk-2"}, None),
        ({"Sec-WebSocket-Protocol": "chat, bearer.fk-1"}, {}, "chat"),
        ({"sec-websocket-protocol": "bearer.fk-1,v2,chat"}, {}, "v2"),
    ],
)
def test_known_key_opens_the_door(
    headers: dict[str, str], query: dict[str, str], protocol: str | None
) -> None:
    answer = connect(headers, query).answer
    assert answer["statusCode"] == 200
    assert answer["headers"].get("Sec-WebSocket-Protocol") == protocol


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({}, {}),
        ({"Authorization": "Bearer fk-3"}, {}),
        ({"Authorization": "Bearer "}, {}),
        ({}, {"key": ""}),
        ({"Sec-WebSocket-Protocol": "bearer."}, {}),
        ({"Sec-WebSocket-Protocol": "chat"}, {}),
    ],
)
@pytest.mark.parametrize("keys", ["fk-1,fk-2", ""])
def test_no_key_or_an_unknown_one_does_not(
    headers: dict[str, str], query: dict[str, str], keys: str
) -> None:
    assert connect(headers, query, FORWARD_KEY=keys) == Admission(None, {"statusCode": 401})


def test_key_is_not_in_the_answer_nor_in_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    answer = connect({"Sec-WebSocket-Protocol": "bearer.fk-1"}).answer
    assert answer == {"statusCode": 200, "headers": {}}
    connect(query={"key": "fk-wrong"})
    assert "fk-" not in capsys.readouterr().out


@pytest.mark.parametrize("mode", ["none", "aws_iam"])
def test_door_kept_by_nobody_or_by_api_gateway_answers_the_first_protocol(mode: str) -> None:
    protocols, identity = {"Sec-WebSocket-Protocol": "a, b"}, {"userArn": USER}
    answer = connect(protocols, identity=identity, WEBSOCKET_AUTH=mode).answer
    assert answer == {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "a"}}


def test_door_that_api_gateway_was_to_keep_and_does_not_is_closed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert connect(WEBSOCKET_AUTH="aws_iam") == Admission(None, {"statusCode": 500})
    assert "the $connect route takes unsigned requests" in capsys.readouterr().out


def test_parameter_that_cannot_be_read_closes_the_door(capsys: pytest.CaptureFixture[str]) -> None:
    def unreadable(_name: str) -> str:
        raise LookupError("AccessDeniedException")

    settings = read_settings({"FORWARD_KEY_PARAMETER": "/sluice/dev/forward-key"})
    event = {
        "requestContext": {"connectionId": "c", "requestId": "r"},
        "queryStringParameters": {"key": "x"},
    }
    ring = KeyRing(settings.forward_keys, unreadable)
    assert admit(parse_connect(event), settings, ring) == Admission(None, {"statusCode": 500})
    assert "/sluice/dev/forward-key: AccessDeniedException" in capsys.readouterr().out


def logged(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = [
        json.loads(line) for line in capsys.readouterr().out.splitlines()
    ]
    for line in lines:
        line.pop("total_ms")
    return lines


def test_key_is_named_by_its_digest_wherever_it_was_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = "key-" + hashlib.sha256(b"fk-2").hexdigest()[:12]
    shown = [
        connect({"Authorization": "Bearer fk-2"}),
        connect(query={"key": "fk-2"}),
        connect({"Sec-WebSocket-Protocol": "bearer.fk-2"}),
    ]
    assert [admission.principal for admission in shown] == [name] * 3
    assert [line["principal"] for line in logged(capsys)] == [name] * 3
    assert connect(query={"key": "fk-1"}).principal != name


def test_signer_is_named_by_its_arn() -> None:
    assert connect(identity={"userArn": USER}, WEBSOCKET_AUTH="aws_iam").principal == USER


def test_arn_names_nobody_who_showed_a_key() -> None:
    principal = connect(query={"key": "fk-1"}, identity={"userArn": USER}).principal
    assert principal is not None
    assert principal.startswith("key-")


def test_who_need_not_say_is_anonymous() -> None:
    assert connect(WEBSOCKET_AUTH="none").principal == "anonymous"


def test_refused_client_has_no_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert connect(query={"key": "wrong"}).principal is None
    (line,) = logged(capsys)
    assert line["outcome"] == "invalid_api_key"
    assert "principal" not in line


@pytest.fixture
def state(tmp_path: Path) -> ConnectionState:
    return ConnectionState(SqliteState(str(tmp_path / "state.sqlite3")))


@pytest.fixture
def broken_state(tmp_path: Path) -> ConnectionState:
    file = tmp_path / "state.sqlite3"
    file.write_text("no database")
    return ConnectionState(SqliteState(str(file)))


OPENED = ConnectRequest("c", "r", {}, {})
CLOSED = DisconnectEvent("c", "r", 1001)


def test_opened_connection_is_recorded_without_a_word(
    state: ConnectionState, capsys: pytest.CaptureFixture[str]
) -> None:
    record_opened(OPENED, "somebody", state)
    assert state.look("c", None, 0).principal == "somebody"
    assert logged(capsys) == []


def test_record_that_fails_is_one_line(
    broken_state: ConnectionState, capsys: pytest.CaptureFixture[str]
) -> None:
    record_opened(OPENED, "somebody", broken_state)
    assert logged(capsys) == [
        {
            "request_id": "r",
            "transport": "connect_record",
            "outcome": "state_unavailable",
            "connection_id": "c",
            "detail": "The state file could not be written.",
            "cause": "DatabaseError",
        }
    ]


def test_closed_connection_is_recorded_and_logged(
    state: ConnectionState, capsys: pytest.CaptureFixture[str]
) -> None:
    record_closed(CLOSED, state)
    assert state.look("c", None, 0).is_closed
    assert logged(capsys) == [
        {
            "request_id": "r",
            "transport": "disconnect",
            "outcome": "ok",
            "connection_id": "c",
            "disconnect_status_code": 1001,
        }
    ]


def test_closed_connection_is_logged_without_a_store(capsys: pytest.CaptureFixture[str]) -> None:
    record_closed(CLOSED, None)
    assert [line["outcome"] for line in logged(capsys)] == ["ok"]


def test_closed_connection_that_cannot_be_recorded_is_one_line(
    broken_state: ConnectionState, capsys: pytest.CaptureFixture[str]
) -> None:
    record_closed(CLOSED, broken_state)
    (line,) = logged(capsys)
    assert line["outcome"] == "state_unavailable"
    assert line["cause"] == "DatabaseError"
