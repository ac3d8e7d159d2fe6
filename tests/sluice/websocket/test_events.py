"""API Gateway's events as values."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.websocket.events import (
    ConnectRequest,
    DisconnectEvent,
    MessageEvent,
    parse_connect,
    parse_disconnect,
    parse_message,
)

CONTEXT: dict[str, Any] = {
    "connectionId": "IjAIcdplCYcCFxw=",
    "requestId": "KfIrUHFqoAMFXBg=",
    "requestTimeEpoch": 1_568_807_373_541,
    "domainName": "abcdef123.execute-api.us-east-1.amazonaws.com",
    "stage": "dev",
}


def event_of(**more: Any) -> dict[str, Any]:
    return {"requestContext": {**CONTEXT, **more}, "isBase64Encoded": False}


def test_connect_may_have_neither_headers_nor_query_nor_signer() -> None:
    expected = ConnectRequest("IjAIcdplCYcCFxw=", "KfIrUHFqoAMFXBg=", {}, {}, "")
    assert parse_connect(event_of()) == expected
    nothing = {"headers": None, "queryStringParameters": None}
    assert parse_connect({**event_of(identity={"userArn": None}), **nothing}) == expected


def test_connect_has_headers_in_lower_case_a_query_and_its_signer() -> None:
    arn = "arn:aws:sts::123456789012:assumed-role/writers/jo"
    event = event_of(identity={"sourceIp": "192.0.2.1", "userArn": arn})
    event |= {"headers": {"Host": "h", "X-Api-Key": "K"}, "queryStringParameters": {"Key": "v"}}
    request = parse_connect(event)
    assert request.headers == {"host": "h", "x-api-key": "K"}
    assert (request.query, request.user_arn) == ({"Key": "v"}, arn)


def test_disconnect_has_the_status_of_the_close_frame_if_any() -> None:
    expected = DisconnectEvent("IjAIcdplCYcCFxw=", "KfIrUHFqoAMFXBg=", None)
    assert parse_disconnect(event_of()) == expected
    closed = event_of(disconnectStatusCode=1005)
    assert parse_disconnect(closed) == expected._replace(status_code=1005)


def test_message_may_be_empty() -> None:
    expected = MessageEvent(
        connection_id="IjAIcdplCYcCFxw=",
        request_id="KfIrUHFqoAMFXBg=",
        domain_name="abcdef123.execute-api.us-east-1.amazonaws.com",
        stage="dev",
        body="Hello",
        at_ms=1_568_807_373_541,
    )
    assert parse_message({**event_of(), "body": "Hello"}) == expected
    assert parse_message({**event_of(), "body": None}) == expected._replace(body="")


def test_message_has_the_address_of_its_client() -> None:
    assert parse_message(event_of(identity={"sourceIp": "192.0.2.1"})).source_ip == "192.0.2.1"


@pytest.mark.parametrize("parse", [parse_connect, parse_disconnect, parse_message])
@pytest.mark.parametrize("event", [{}, {"requestContext": {}}])
def test_event_of_another_kind_is_a_key_error(parse: Any, event: dict[str, Any]) -> None:
    with pytest.raises(KeyError):
        parse(event)
