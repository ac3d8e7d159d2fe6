"""Events of the WebSocket API and the choice of a route."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from local.api_gateway.event import (
    Peer,
    connect_event,
    disconnect_event,
    message_event,
    new_connection_id,
    select_route,
)

PEER = Peer(
    connection_id="IjAIcdplCYcCFxw=",
    stage="dev",
    domain="127.0.0.1:3001",
    source_ip="127.0.0.1",
    user_agent="ws/1",
    connected_at=1568807373.5,
    headers=(("Host", "127.0.0.1:3001"), ("X-A", "1"), ("X-A", "2")),
    query=(("a", "1"),),
)
CONTEXT: dict[str, Any] = {
    "extendedRequestId": "r",
    "requestTime": "18/Sep/2019:11:49:34 +0000",
    "messageDirection": "IN",
    "stage": "dev",
    "connectedAt": 1568807373500,
    "requestTimeEpoch": 1568807374000,
    "identity": {"sourceIp": "127.0.0.1", "userAgent": "ws/1"},
    "requestId": "r",
    "domainName": "127.0.0.1:3001",
    "connectionId": "IjAIcdplCYcCFxw=",
    "apiId": "local",
}
NOW = 1568807374.0


def test_connect_event_has_headers_query_and_signer() -> None:
    signer = {
        "accessKey": "AKIALOCAL",
        "accountId": "123456789012",
        "caller": "AIDALOCALUSER00000000",
        "user": "AIDALOCALUSER00000000",
        "userArn": "arn:aws:iam::123456789012:user/local",
    }
    expected: dict[str, Any] = {
        "headers": {"Host": "127.0.0.1:3001", "X-A": "2"},
        "multiValueHeaders": {"Host": ["127.0.0.1:3001"], "X-A": ["1", "2"]},
        "queryStringParameters": {"a": "1"},
        "multiValueQueryStringParameters": {"a": ["1"]},
        "requestContext": {**CONTEXT, "routeKey": "$connect", "eventType": "CONNECT"},
        "isBase64Encoded": False,
    }
    assert json.loads(connect_event(PEER, "r", NOW)) == expected
    signed = replace(PEER, access_key="AKIALOCAL")
    expected["requestContext"]["identity"] = {**CONTEXT["identity"], **signer}
    assert json.loads(connect_event(signed, "r", NOW)) == expected
    bare = Peer("id=", "dev", "h", "ip", "", 1.0)
    assert set(json.loads(connect_event(bare, "r", NOW))) == {"requestContext", "isBase64Encoded"}


def test_message_event_has_neither_headers_nor_signer() -> None:
    signed = replace(PEER, access_key="AKIALOCAL")
    event = json.loads(message_event(signed, "$default", "hä", "r", NOW))
    assert event["requestContext"].pop("messageId").endswith("=")
    assert event == {
        "requestContext": {**CONTEXT, "routeKey": "$default", "eventType": "MESSAGE"},
        "body": "hä",
        "isBase64Encoded": False,
    }


def test_disconnect_event_has_code_and_reason() -> None:
    event = json.loads(disconnect_event(PEER, 1001, "bye", "r", NOW))
    kind = {"routeKey": "$disconnect", "eventType": "DISCONNECT"}
    end = {"disconnectStatusCode": 1001, "disconnectReason": "bye"}
    assert event["requestContext"] == {**CONTEXT, **kind, **end}
    assert event["headers"] == {
        "Host": "127.0.0.1:3001",
        "x-api-key": "",
        "X-Forwarded-For": "127.0.0.1",
        "x-restapi": "",
    }
    assert event["multiValueHeaders"]["x-api-key"] == [""]


def test_connection_id_has_awss_format() -> None:
    made = new_connection_id()
    assert len(base64.b64decode(made, validate=True)) == 11
    assert made.endswith("=")
    assert made != new_connection_id()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"action": "sendmessage"}', "sendmessage"),
        ('{"action": "other"}', "$default"),
        ('{"action": "$connect"}', "$default"),
        ('{"action": "$disconnect"}', "$default"),
        ('{"action": 3}', "$default"),
        ('{"action": ["sendmessage"]}', "$default"),
        ("[1]", "$default"),
        ("not json", "$default"),
        ("[" * 100_000, "$default"),
        ("", "$default"),
    ],
)
def test_body_names_the_route_or_it_is_the_default(body: str, expected: str) -> None:
    routes = ("$connect", "$disconnect", "$default", "sendmessage")
    assert select_route(body, "$request.body.action", routes) == expected


def test_message_without_a_route_has_none() -> None:
    assert select_route("{}", "$request.body.action", ("$connect",)) is None


def test_expression_may_name_a_nested_value() -> None:
    routes = ("$default", "go")
    assert select_route('{"a": {"b": "go"}}', "$request.body.a.b", routes) == "go"
    assert select_route('{"action": "go"}', "${request.header.x}", routes) == "$default"
