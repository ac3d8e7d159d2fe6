"""The event of a Function URL."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from local.function_url.event import url_event
from local.http.requests import Headers, HttpRequest

REQUEST = HttpRequest(
    method="GET",
    raw_path="/a%20b/c",
    raw_query="",
    protocol="HTTP/1.1",
    headers=(("Host", "127.0.0.1:3000"), ("User-Agent", "curl/8")),
    body=b"",
    source_ip="127.0.0.1",
)
NOW = 1584039838.5


def event(access_key: str | None = None, forwarding: Headers = (), **changes: object) -> Any:
    request = replace(REQUEST, **changes)  # type: ignore[arg-type] # each test names real fields
    return json.loads(
        url_event(request, request_id="r", now=NOW, access_key=access_key, forwarding=forwarding)
    )


def test_plain_request_has_no_absent_keys() -> None:
    assert event() == {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/a%20b/c",
        "rawQueryString": "",
        "headers": {"host": "127.0.0.1:3000", "user-agent": "curl/8"},
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "127",
            "authentication": None,
            "domainName": "127.0.0.1:3000",
            "domainPrefix": "127",
            "http": {
                "method": "GET",
                "path": "/a%20b/c",
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "curl/8",
            },
            "requestId": "r",
            "routeKey": "$default",
            "stage": "$default",
            "time": "12/Mar/2020:19:03:58 +0000",
            "timeEpoch": 1584039838500,
        },
        "isBase64Encoded": False,
    }


def test_signed_request_names_its_caller() -> None:
    context = event(access_key="AKID")["requestContext"]
    assert context["accountId"] == "123456789012"
    assert context["authorizer"]["iam"]["accessKey"] == "AKID"
    assert set(context["authorizer"]["iam"]) == {
        "accessKey",
        "accountId",
        "callerId",
        "cognitoIdentity",
        "principalOrgId",
        "userArn",
        "userId",
    }


def test_query_is_kept_raw_and_decoded() -> None:
    found = event(raw_query="a=1&a=2&b=x%20y&flag")
    assert found["rawQueryString"] == "a=1&a=2&b=x%20y&flag"
    assert found["queryStringParameters"] == {"a": "1,2", "b": "x y", "flag": ""}


def test_repeated_headers_are_joined_and_cookies_are_separate() -> None:
    found = event(headers=(("X-A", "1"), ("x-a", "2"), ("Cookie", "a=1; b=2")))
    assert found["headers"] == {"x-a": "1,2"}
    assert found["cookies"] == ["a=1", "b=2"]


@pytest.mark.parametrize(
    ("content_type", "body", "plain"),
    [
        ("application/json", b'{"a":1}', True),
        ("text/plain; charset=utf-8", b"hi", True),
        ("application/xml", b"<a/>", True),
        ("application/json", "{é}".encode(), False),
        ("application/x-www-form-urlencoded", b"a=1", False),
        ("", b"hi", False),
        ("image/png", b"\x89PNG", False),
        ("multipart/form-data; boundary=textjson", b"--textjson--", False),
    ],
)
def test_only_ascii_of_a_text_type_is_plain(content_type: str, body: bytes, plain: bool) -> None:  # noqa: FBT001
    found = event(headers=(("Content-Type", content_type),), body=body)
    assert found["isBase64Encoded"] is not plain
    kept = found["body"].encode() if plain else base64.b64decode(found["body"])
    assert kept == body


def test_header_with_invalid_unicode_still_makes_an_event() -> None:
    assert "x-a" in event(headers=(("X-A", "\udcff"),))["headers"]


def test_fields_for_the_connection_or_a_proxy_are_dropped() -> None:
    of_the_connection = ("Connection", "Keep-Alive", "TE", "Transfer-Encoding", "Upgrade")
    to_a_proxy = ("Proxy-Authorization", "Proxy-Connection")
    headers = tuple((name, "x") for name in (*of_the_connection, *to_a_proxy, "Text", "X-Proxy-A"))
    assert event(headers=headers)["headers"] == {"text": "x", "x-proxy-a": "x"}


def test_forwarding_headers_are_joined_and_replace_the_trace() -> None:
    found = event(
        headers=(("X-Forwarded-For", "10.0.0.1"), ("X-Amzn-Trace-Id", "theirs")),
        forwarding=(("X-Forwarded-For", "127.0.0.1"), ("X-Amzn-Trace-Id", "ours")),
    )
    assert found["headers"] == {"x-forwarded-for": "10.0.0.1,127.0.0.1", "x-amzn-trace-id": "ours"}
