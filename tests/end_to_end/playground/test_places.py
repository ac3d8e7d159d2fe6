"""The playground at other names of this machine than 127.0.0.1, and below a route prefix."""

from __future__ import annotations

from tests.end_to_end.playground.chromium import Browser, Page
from tests.end_to_end.playground.pasting import paste
from tests.running_stack import ROOT, RunningStack, stack
from tests.scripted_upstream import ScriptedUpstream


def check(page: Page) -> None:
    for transport in ("url", "websocket"):
        page.select("transport", transport)
        assert page.ask("Hello") == "Hello"
    page.wait_text("requests", "WebSocket")
    assert page.faults() == []


def test_page_works_at_localhost(
    browser: Browser, signed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    assert upstream.requests == []
    page = browser.open(f"{signed_stack.url.replace('127.0.0.1', 'localhost')}/")
    check(page)
    page.close()


def test_page_works_at_ipv6_and_below_a_route_prefix(
    browser: Browser, upstream: ScriptedUpstream
) -> None:
    provider = {"OPENAI_BASE_URL": upstream.url, "OPENAI_API_KEY": "sk-test-places"}
    settings = {"OPENAI_ROUTE_PREFIX": "/openai", **provider}
    with stack(ROOT / "serverless.yml", "--host", "::1", **settings) as running:
        running.wait_ready()
        page = browser.open(f"{running.url}/")
        check(page)
        assert "[::1]" in page.text("code")
        assert "/openai/v1/chat/completions" in page.text("code")
        assert "Hel" in paste("curl", page.text("code"))
        page.close()
