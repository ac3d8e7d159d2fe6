"""$connect and $disconnect: who is accepted, by which name, and what is recorded and logged."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from sluice.access.identity import Access
from sluice.authentication import Principal, account_of_key
from sluice.key_ring import KeyRing
from sluice.settings import read_settings
from sluice.state.connections import ConnectionOwner, ConnectionState
from sluice.state.sqlite import SqliteState
from sluice.websocket.admission import Admission, admit, record_closed, record_opened
from sluice.websocket.events import ConnectRequest, DisconnectEvent, parse_connect

if TYPE_CHECKING:
    from pathlib import Path

ONE, TWO = "fk-1-0123456789ab", "fk-2-0123456789ab"
USER = "arn:aws:iam::123456789012:user/jo"
OPENED = ConnectRequest("c", "r", {}, {})
SOMEBODY = Principal("somebody", "key abc")
CLOSED = DisconnectEvent("c", "r", 1001)


def unreadable(_name: str) -> str:
    raise LookupError("AccessDeniedException")


def connect(
    headers: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
    identity: dict[str, str] | None = None,
    **environ: str,
) -> Admission:
    settings = read_settings({"FORWARD_KEY": f"{ONE},{TWO}", **environ})
    event = {
        "requestContext": {"connectionId": "c", "requestId": "r", "identity": identity or {}},
        "headers": headers or {},
        **({"queryStringParameters": query} if query else {}),
    }
    access = Access(settings, KeyRing(settings.forward_keys, unreadable))
    return admit(parse_connect(event), settings, access)


@pytest.fixture
def broken_state(tmp_path: Path) -> ConnectionState:
    file = tmp_path / "state.sqlite3"
    file.write_text("no database")
    return ConnectionState(SqliteState(str(file)))


def logged(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for line in lines:
        line.pop("total_ms")
    return lines


@pytest.mark.parametrize(
    ("headers", "query", "key", "protocol"),
    [
        ({"Authorization": f"Bearer {ONE}"}, {}, ONE, None),
        ({}, {"key": TWO}, TWO, None),
        ({"Sec-WebSocket-Protocol": f"bearer.{ONE}"}, {}, ONE, None),
        (
            {"Sec-WebSocket-Protocol": f"chat, bearer.{ONE}"},
            {},
            ONE,
            "chat",
        ),
    ],
)
def test_known_key_is_accepted_and_named_by_its_digest(
    capsys: pytest.CaptureFixture[str],
    headers: dict[str, str],
    query: dict[str, str],
    key: str,
    protocol: str | None,
) -> None:
    chosen = {"Sec-WebSocket-Protocol": protocol} if protocol else {}
    name = "key-" + hashlib.sha256(key.encode()).hexdigest()[:12]
    # A signer's name does not replace the key's.
    admission = connect(headers, query, identity={"userArn": USER})
    assert admission.answer == {"statusCode": 200, "headers": chosen}
    assert admission.principal == Principal(name, f"counts of {account_of_key(key)}")
    (line,) = logged(capsys)
    assert line["principal"] == name
    assert "fk-" not in json.dumps(line)


@pytest.mark.parametrize(
    ("headers", "query", "keys"),
    [
        ({}, {}, ONE),
        ({"Authorization": "Bearer fk-3"}, {}, ONE),
        ({}, {"key": "fk-wrong"}, ONE),
        ({"Sec-WebSocket-Protocol": "bearer."}, {}, ONE),
        ({}, {"key": ""}, ""),
    ],
)
def test_missing_or_unknown_key_is_rejected_and_not_logged(
    capsys: pytest.CaptureFixture[str], headers: dict[str, str], query: dict[str, str], keys: str
) -> None:
    assert connect(headers, query, FORWARD_KEY=keys) == Admission(None, {"statusCode": 401})
    (line,) = logged(capsys)
    assert line["outcome"] == "invalid_api_key"
    assert "principal" not in line
    assert "fk-" not in json.dumps(line)


def test_client_without_a_key_costs_no_read_of_the_parameter() -> None:
    for query, status in (({}, 401), ({"key": ""}, 401), ({"key": "x"}, 500)):
        admission = connect(query=query, FORWARD_KEY="", FORWARD_KEY_PARAMETER="/unreadable")
        assert admission.answer == {"statusCode": status}


@pytest.mark.parametrize(
    ("mode", "identity", "principal"),
    [("none", {}, "anonymous"), ("aws_iam", {"userArn": USER}, USER)],
)
def test_client_without_a_key_gets_its_first_protocol(
    mode: str, identity: dict[str, str], principal: str
) -> None:
    protocols = {"Sec-WebSocket-Protocol": "a, b"}
    answer = {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "a"}}
    admission = connect(protocols, identity=identity, WEBSOCKET_AUTH=mode)
    assert admission.answer == answer
    assert admission.principal is not None
    assert admission.principal.name == principal


@pytest.mark.parametrize(
    ("auth", "detail"),
    [
        ("aws_iam", "the $connect route takes unsigned requests"),
        ("forward_key", "/sluice/dev/forward-key: AccessDeniedException"),
    ],
)
def test_misconfigured_route_rejects_everyone(
    capsys: pytest.CaptureFixture[str], auth: str, detail: str
) -> None:
    admission = connect(
        query={"key": "x"},
        WEBSOCKET_AUTH=auth,
        FORWARD_KEY="",
        FORWARD_KEY_PARAMETER="/sluice/dev/forward-key",
    )
    assert admission == Admission(None, {"statusCode": 500})
    (line,) = logged(capsys)
    assert detail in line["detail"]


def test_open_connection_is_recorded_and_not_logged(
    state: ConnectionState, capsys: pytest.CaptureFixture[str]
) -> None:
    record_opened(OPENED, SOMEBODY, state)
    assert state.look("c", None, 0).principal == "somebody"
    assert logged(capsys) == []


def test_record_that_fails_is_one_line(
    broken_state: ConnectionState, capsys: pytest.CaptureFixture[str]
) -> None:
    record_opened(OPENED, SOMEBODY, broken_state)
    failure = {
        "outcome": "state_unavailable",
        "detail": "The state file could not be written.",
        "cause": "DatabaseError",
    }
    opening = {"request_id": "r", "transport": "connect_record", "connection_id": "c", **failure}
    assert logged(capsys) == [opening]
    record_closed(CLOSED, broken_state)
    (closing,) = logged(capsys)
    assert closing.items() >= failure.items()


def test_closed_connection_is_recorded_and_logged(
    state: ConnectionState, capsys: pytest.CaptureFixture[str]
) -> None:
    line = {
        "request_id": "r",
        "transport": "disconnect",
        "outcome": "ok",
        "connection_id": "c",
        "disconnect_status_code": 1001,
    }
    record_closed(CLOSED, state)
    assert state.look("c", None, 0).is_closed
    record_closed(CLOSED, None)  # without a store
    assert logged(capsys) == [line, line]


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        ({"GLOBAL_RATE_LIMIT": "1/minute"}, 200),
        ({"GLOBAL_RATE_LIMIT": "1/minute", "STORE_FAILURE": "refuse"}, 503),
        ({"CACHE_CHAT_COMPLETION": "true", "CACHE_BACKEND": "MEMORY"}, 200),
    ],
)
def test_client_that_is_counted_or_has_cached_answers_is_recorded_first_or_refused(
    state: ConnectionState,
    tmp_path: Path,
    settings: dict[str, str],
    status: int,
) -> None:
    limited = read_settings({"FORWARD_KEY": ONE} | settings)
    access = Access(limited, KeyRing(limited.forward_keys, unreadable))
    broken = ConnectionState(SqliteState(str(tmp_path)))  # a folder
    request = OPENED._replace(query={"key": ONE})
    admission = admit(request, limited, access, state)
    assert admission.is_recorded
    assert state.owner("c") == ConnectionOwner(*admission.principal or ())
    assert admit(request, limited, access, broken).answer["statusCode"] == status
