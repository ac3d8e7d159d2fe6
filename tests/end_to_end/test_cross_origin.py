"""A page of another origin asks the Function URL, as a browser does: the preflight, then itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests

from tests.end_to_end.conftest import FORWARD_KEY
from tests.running_stack import PATIENCE_S, RunningStack, ready_service
from tests.scripted_upstream import answer_stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.scripted_upstream import ScriptedUpstream

ORIGIN = "https://app.example"
OTHER = "https://other.example"
BODY = {"model": "m", "messages": [{"role": "user", "content": "Hello"}], "stream": True}
ALLOWED = "Access-Control-Allow-Origin"


@pytest.fixture(scope="module")
def page_stack(shared_upstream: ScriptedUpstream) -> Iterator[RunningStack]:
    with ready_service(
        OPENAI_BASE_URL=shared_upstream.url,
        FORWARD_KEY=FORWARD_KEY,
        FUNCTION_URL_AUTH="none",
        CORS_ALLOW_ORIGINS=f"{ORIGIN},https://second.example",
    ) as running:
        yield running


def preflight(stack: RunningStack, origin: str) -> requests.Response:
    return requests.options(
        f"{stack.url}/v1/chat/completions",
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        },
        timeout=PATIENCE_S,
    )


def chat(stack: RunningStack, origin: str, key: str = FORWARD_KEY) -> requests.Response:
    headers = {"Origin": origin, "Authorization": f"Bearer {key}"}
    url = f"{stack.url}/v1/chat/completions"
    return requests.post(url, json=BODY, headers=headers, timeout=PATIENCE_S)


@pytest.mark.parametrize("origin", [ORIGIN, "https://second.example"])
def test_page_of_an_allowed_origin_may_ask(
    page_stack: RunningStack, upstream: ScriptedUpstream, origin: str
) -> None:
    permission = preflight(page_stack, origin)
    assert permission.status_code in (200, 204)
    assert permission.headers[ALLOWED] == origin
    methods = permission.headers["Access-Control-Allow-Methods"]
    assert "POST" in methods or methods == "*"
    allowed = permission.headers["Access-Control-Allow-Headers"].lower()
    # A * does not cover Authorization: it must be named.
    assert "authorization" in allowed
    assert "content-type" in allowed
    assert upstream.requests == []
    reply = chat(page_stack, origin)
    assert (reply.headers[ALLOWED], reply.content) == (origin, answer_stream(["Hel", "lo"]))


def test_page_of_an_allowed_origin_can_read_an_error(
    page_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    reply = chat(page_stack, ORIGIN, key="fk-unknown")
    assert (reply.status_code, reply.headers[ALLOWED]) == (401, ORIGIN)
    assert reply.json()["error"]["code"] == "invalid_api_key"
    assert upstream.requests == []


def test_page_of_another_origin_gets_no_permission(
    page_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    assert ALLOWED not in preflight(page_stack, OTHER).headers
    assert ALLOWED not in chat(page_stack, OTHER).headers
    assert len(upstream.requests) <= 1


def test_no_origin_is_allowed_unless_it_is_named(
    keyed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    assert ALLOWED not in preflight(keyed_stack, ORIGIN).headers
    assert ALLOWED not in chat(keyed_stack, ORIGIN).headers
    assert len(upstream.requests) == 1
