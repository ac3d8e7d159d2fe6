"""Requests and replies to the Function URL with bytes in their heads that are no text."""

from __future__ import annotations

import pytest

from tests.scripted_upstream import ScriptedUpstream, sends
from tests.sluice.url.asking import ask


def test_key_that_is_no_text_is_an_unknown_one(upstream: ScriptedUpstream) -> None:
    shown = {"authorization": "Bearer \udcff"}
    lock = {"FUNCTION_URL_AUTH": "none", "FORWARD_KEY": "forward-key-1"}
    reply = ask(upstream.url, "GET", "/v1/models", headers=shown, settings=lock)
    assert reply.metadata["statusCode"] == 401
    assert upstream.requests == []


def test_path_that_is_no_text_goes_on_as_its_bytes(upstream: ScriptedUpstream) -> None:
    reply = ask(upstream.url, "GET", "/v1/models/\udcff")
    assert reply.metadata["statusCode"] == 200
    assert upstream.requests[0].target == "/v1/models/%FF"


def test_header_of_the_provider_that_no_reply_can_hold_is_left_out(
    upstream: ScriptedUpstream,
) -> None:
    upstream.script = sends(b"[]", "application/json", x_odd="a\x01b", x_tab="a\tb")
    reply = ask(upstream.url, "GET", "/v1/models")
    assert "x-odd" not in reply.metadata["headers"]
    assert reply.metadata["headers"]["x-tab"] == "a\tb"


@pytest.mark.parametrize("asked", ["x-\udcff", "x-a\r\nx-b: 1"])
def test_preflight_does_not_repeat_what_is_no_name_of_a_header(
    upstream: ScriptedUpstream, asked: str
) -> None:
    headers = {
        "origin": "https://page.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": asked,
    }
    allowed = {"CORS_ALLOW_ORIGINS": "*"}
    reply = ask(upstream.url, "OPTIONS", "/v1/models", headers=headers, settings=allowed)
    assert reply.metadata["headers"]["access-control-allow-headers"] == "*"
