"""$connect: who is let in, and the sub-protocol a client is given."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.key_ring import KeyRing
from sluice.settings import read_settings
from sluice.ssm_parameter import read_parameter
from sluice.websocket_admission import admit
from sluice.websocket_events import parse_connect


def connect(
    headers: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
    **environ: str,
) -> dict[str, Any]:
    settings = read_settings({"FORWARD_KEY": "fk-1,fk-2", **environ})
    event = {
        "requestContext": {"connectionId": "c", "requestId": "r"},
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
    answer = connect(headers, query)
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
    assert connect(headers, query, FORWARD_KEY=keys) == {"statusCode": 401}


def test_key_is_not_in_the_answer_nor_in_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    answer = connect({"Sec-WebSocket-Protocol": "bearer.fk-1"})
    assert answer == {"statusCode": 200, "headers": {}}
    connect(query={"key": "fk-wrong"})
    assert "fk-" not in capsys.readouterr().out


@pytest.mark.parametrize("mode", ["none", "aws_iam"])
def test_door_kept_by_nobody_or_by_api_gateway_answers_the_first_protocol(mode: str) -> None:
    answer = connect({"Sec-WebSocket-Protocol": "a, b"}, WEBSOCKET_AUTH=mode)
    assert answer == {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "a"}}


def test_parameter_that_cannot_be_read_closes_the_door(capsys: pytest.CaptureFixture[str]) -> None:
    def unreadable(_name: str) -> str:
        raise LookupError("AccessDeniedException")

    settings = read_settings({"FORWARD_KEY_PARAMETER": "/sluice/dev/forward-key"})
    event = {
        "requestContext": {"connectionId": "c", "requestId": "r"},
        "queryStringParameters": {"key": "x"},
    }
    ring = KeyRing(settings.forward_keys, unreadable)
    assert admit(parse_connect(event), settings, ring) == {"statusCode": 500}
    assert "/sluice/dev/forward-key: AccessDeniedException" in capsys.readouterr().out
