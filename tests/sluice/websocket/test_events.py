"""API Gateway's events as values."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.websocket.events import (
    ConnectRequest,
    DisconnectEvent,
    parse_connect,
    parse_disconnect,
    parse_message,
)

CONTEXT = {
    "connectionId": "IjAIcdplCYcCFxw=",
    "requestId": "KfIrUHFqoAMFXBg=",
    "requestTimeEpoch": 1_568_807_373_541,
    "domainName": "abcdef123.execute-api.us-east-1.amazonaws.com",
    "stage": "dev",
}


def connect_event(**more: Any) -> dict[str, Any]:
    return {"requestContext": {**CONTEXT, **more}, "isBase64Encoded": False}


def test_connect_has_headers_in_lower_case_and_a_query() -> None:
    event = connect_event(identity={"sourceIp": "192.0.2.1"})
    event |= {"headers": {"Host": "h", "X-Api-Key": "K"}, "queryStringParameters": {"Key": "v"}}
    assert parse_connect(event) == ConnectRequest(
        connection_id="IjAIcdplCYcCFxw=",
        request_id="KfIrUHFqoAMFXBg=",
        headers={"host": "h", "x-api-key": "K"},
        query={"Key": "v"},
        user_arn="",
    )


@pytest.mark.parametrize("missing", [{}, {"headers": None, "queryStringParameters": None}])
def test_connect_may_have_neither(missing: dict[str, None]) -> None:
    request = parse_connect({**connect_event(), **missing})
    assert (request.headers, request.query) == ({}, {})


def test_connect_of_an_iam_authorised_route_names_its_signer() -> None:
    arn = "arn:aws:sts::123456789012:assumed-role/writers/jo"
    event = connect_event(identity={"sourceIp": "192.0.2.1", "userArn": arn})
    assert parse_connect(event).user_arn == arn


def test_null_is_no_signer() -> None:
    assert parse_connect(connect_event(identity={"userArn": None})).user_arn == ""


def test_disconnect_tells_the_status_of_the_close_frame() -> None:
    event = connect_event(disconnectStatusCode=1005, disconnectReason="Client-side close frame")
    expected = DisconnectEvent("IjAIcdplCYcCFxw=", "KfIrUHFqoAMFXBg=", 1005)
    assert parse_disconnect(event) == expected


def test_disconnect_may_come_without_one() -> None:
    assert parse_disconnect(connect_event()).status_code is None


@pytest.mark.parametrize("parse", [parse_connect, parse_disconnect, parse_message])
@pytest.mark.parametrize("event", [{}, {"requestContext": {}}])
def test_event_of_another_kind_is_refused(parse: Any, event: dict[str, Any]) -> None:
    with pytest.raises(KeyError):
        parse(event)


def test_message_may_be_empty() -> None:
    assert parse_message(connect_event()).body == ""
