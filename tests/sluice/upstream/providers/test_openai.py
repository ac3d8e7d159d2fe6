"""OpenAI's API and compatible ones: the call is sent unchanged, with another key."""

from __future__ import annotations

from sluice.upstream.providers.openai import OpenAIProvider
from tests.sluice.upstream.providers.asking import KEPT, a_call

BASE_URL = "https://api.openai.com/v1"
PROVIDER = OpenAIProvider(BASE_URL)


def test_headers_have_the_key_and_nothing_that_is_for_the_gateway() -> None:
    headers = {**KEPT, "accept-encoding": "identity"}
    authorization = {"authorization": "Bearer sk-1"}
    assert PROVIDER.request(a_call(), "sk-1").headers == headers | authorization
    assert PROVIDER.request(a_call(), None).headers == headers


def test_method_url_and_body_are_the_clients() -> None:
    for method, path, query in (
        ("POST", "/chat/completions", ""),
        ("GET", "/files", "limit=2&after=a%20b"),
        ("DELETE", "/models/ft:a%2Fb", ""),
        ("GET", "", ""),
    ):
        call = a_call(path, b'{"model": "gpt-4o"}', method=method, query=query)
        request = PROVIDER.request(call, "sk-1")
        assert (request.method, request.url) == (method, f"{BASE_URL}{path}?{query}".rstrip("?"))
        assert request.body is call.body


def test_provider_answers_no_call_itself() -> None:
    assert PROVIDER.own_answer(a_call("/models", method="GET")) is None
