"""The event of a Function URL as a request."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from sluice.url.events import UrlRequest, parse_url_request

CONTEXT = {"requestId": "r-1", "http": {"method": "POST", "path": "/ignored"}}
EVENT: dict[str, Any] = {
    "version": "2.0",
    "routeKey": "$default",
    "rawPath": "/v1/files/a%20b",
    "rawQueryString": "b=2&a=%2F&flag",
    "cookies": ["session=private"],
    "headers": {"Content-Type": "application/json", "x-title": "T"},
    "queryStringParameters": {"b": "2", "a": "/", "flag": ""},
    "requestContext": CONTEXT,
    "body": '{"a": "é"}',
    "isBase64Encoded": False,
}


def test_event_with_everything() -> None:
    assert parse_url_request(EVENT) == UrlRequest(
        request_id="r-1",
        method="POST",
        path="/v1/files/a%20b",
        raw_query="b=2&a=%2F&flag",
        query={"b": "2", "a": "/", "flag": ""},
        headers={"content-type": "application/json", "x-title": "T"},
        body='{"a": "é"}'.encode(),
    )


@pytest.mark.parametrize("left_out", [None, ""])
def test_event_with_nothing_but_a_path(left_out: str | None) -> None:
    event = {"rawPath": "/", "requestContext": CONTEXT, "body": left_out, "headers": left_out}
    assert parse_url_request(event) == UrlRequest("r-1", "POST", "/", "", {}, {}, b"")


@pytest.mark.parametrize("body", [b"", b"text", bytes(range(256))])
def test_body_in_base64_is_decoded(body: bytes) -> None:
    encoded = {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    assert parse_url_request({**EVENT, **encoded}).body == body


@pytest.mark.parametrize("event", [{}, {"rawPath": "/"}, {"rawPath": "/", "requestContext": {}}])
def test_what_is_no_event_of_a_url_is_a_key_error(event: dict[str, Any]) -> None:
    with pytest.raises(KeyError):
        parse_url_request(event)
