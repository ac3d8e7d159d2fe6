"""OpenAI's API and its like: the call as it came, by another key."""

from __future__ import annotations

import pytest

from sluice.upstream.providers.openai import OpenAIProvider
from tests.sluice.upstream.providers.asking import KEPT, a_call

PROVIDER = OpenAIProvider("https://api.openai.com/v1")


def test_headers_are_those_of_the_call_less_what_is_the_clients_own() -> None:
    headers = PROVIDER.request(a_call(), "sk-1").headers
    assert headers == {**KEPT, "accept-encoding": "identity", "authorization": "Bearer sk-1"}


def test_request_without_a_key_has_no_authorization() -> None:
    assert "authorization" not in PROVIDER.request(a_call(), None).headers


def test_body_is_the_very_same() -> None:
    call = a_call(body=b'{"model": "gpt-4o"}')
    assert PROVIDER.request(call, "sk-1").body is call.body


@pytest.mark.parametrize(
    ("method", "path", "query", "url"),
    [
        ("POST", "/chat/completions", "", "https://api.openai.com/v1/chat/completions"),
        (
            "GET",
            "/files",
            "limit=2&after=a%20b",
            "https://api.openai.com/v1/files?limit=2&after=a%20b",
        ),
        ("DELETE", "/models/ft:a%2Fb", "", "https://api.openai.com/v1/models/ft:a%2Fb"),
        ("GET", "", "", "https://api.openai.com/v1"),
    ],
)
def test_url_is_the_base_url_and_what_the_client_sent(
    method: str, path: str, query: str, url: str
) -> None:
    request = PROVIDER.request(a_call(path, method=method, query=query), "sk-1")
    assert (request.method, request.url) == (method, url)


def test_it_answers_nothing_itself() -> None:
    assert PROVIDER.own_answer(a_call("/models", method="GET")) is None
    assert (PROVIDER.name, PROVIDER.mends_stream_end) == ("openai", False)
