"""The playground as people use it, in a real Chromium."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.end_to_end.conftest import FORWARD_KEY, PROMPT
from tests.end_to_end.playground.chromium import Browser, Page
from tests.end_to_end.playground.pasting import paste
from tests.end_to_end.playground.upstreams import BY_BROWSER, CUT_OFF, HOLDS, REFUSAL, bodies
from tests.running_stack import PATIENCE_S, ROOT, RunningStack, ready_service
from tests.scripted_upstream import (
    EVENT_STREAM_HEAD,
    GatedAnswer,
    ScriptedUpstream,
    chunk,
    delta,
    dies_after,
    says,
)

TRANSPORTS = ("url", "websocket")
BREAKS_OFF = dies_after(EVENT_STREAM_HEAD + chunk(delta("half")))


def test_answer_of_the_demo_model_streams_and_is_counted(browser: Browser) -> None:
    with ready_service() as stack:
        page = browser.open(f"{stack.url}/")
        assert page.evaluate("document.querySelector('#models option').value") == "demo"
        for transport in TRANSPORTS:
            page.select("transport", transport)
            assert page.ask("Hello there").startswith("You said “Hello there”.")
            assert re.fullmatch(r"\d+ ms", page.text("ttft"))
            assert float(page.text("speed")) > 0
            assert page.text("tokens") == "45"
        page.wait_text("requests", "WebSocket")
        newest, oldest = (page.text("requests").splitlines()[n] for n in (1, 2))
        assert re.search(r"WebSocket\s+chat\s.*ok\s+gpt-6-luna\s+anonymous\s.*ms", newest)
        assert re.search(r"Function URL\s+POST /v1/chat/completions\s+200\s+ok", oldest)
        assert page.faults() == []
        page.close()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_first_token_is_shown_and_timed_before_the_second_is_sent(
    page: Page, upstream: ScriptedUpstream, transport: str
) -> None:
    upstream.script = gated = GatedAnswer("one", " two")
    page.select("transport", transport)
    page.fill("prompt", "Count")
    page.click("send")
    gated.open()
    page.wait_text("answer", "one")
    page.wait_text("ttft", "ms")
    assert gated.sent == ["one"]
    gated.open(2)
    page.wait_text("answer", "one two")
    page.wait_idle()
    traffic = page.text("traffic-list")
    assert re.search(r"\d+ ms\s+→", traffic)
    assert "two" in traffic
    assert ("[DONE]" if transport == "url" else '"done":true') in traffic


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_conversation_has_several_turns_and_begins_anew(
    page: Page, upstream: ScriptedUpstream, transport: str
) -> None:
    page.select("transport", transport)
    page.fill("system", "Be brief.")
    page.fill("model", "some-model")
    page.ask("First")
    page.ask("Second")
    system = {"role": "system", "content": "Be brief."}
    first = {"role": "user", "content": "First"}
    second = {"role": "user", "content": "Second"}
    answered = {"role": "assistant", "content": "Hello"}
    assert bodies(upstream)[1]["messages"] == [system, first, answered, second]
    assert bodies(upstream)[1]["model"] == "some-model"
    page.click("new")
    assert page.texts("answer") == []
    page.ask("Second")
    assert bodies(upstream)[2]["messages"] == [system, second]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_stop_ends_the_answer_and_the_next_one_works(
    page: Page, upstream: ScriptedUpstream, transport: str
) -> None:
    gated = GatedAnswer("go", "on")
    gated.open()
    # Lambda cannot know that a client of the URL has gone: only the WebSocket ends the upstream's.
    upstream.script = gated if transport == "url" else HOLDS
    page.select("transport", transport)
    page.fill("prompt", "Go on")
    page.click("send")
    page.wait_text("answer", "go")
    page.click("stop")
    page.wait_text("stopped", "Stopped.")
    page.wait_idle()
    gated.open(2)
    if transport == "websocket":
        assert upstream.gone.wait(PATIENCE_S)
        assert '"cancelled":true' in page.text("traffic-list")
    upstream.script = says("fine")
    assert page.ask("Hello") == "fine"


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_failing_upstream_is_shown_and_the_next_request_works(
    page: Page, upstream: ScriptedUpstream, transport: str
) -> None:
    page.select("transport", transport)
    for script, shown, to_send_again in (
        (REFUSAL, "Slow down", "Hello"),
        (BREAKS_OFF, "upstream_incomplete", ""),
    ):
        upstream.script = script
        page.ask("Hello")
        assert page.evaluate("document.getElementById('prompt').value") == to_send_again
        error = page.text("error")
        assert shown in error
        assert "code " in error
        assert all(fault.startswith(BY_BROWSER) for fault in page.faults())
    assert "too_fast" in page.texts("error")[0]
    assert "half" in page.text("answer")
    upstream.script = says()
    assert page.ask("Hello") == "The answer has no text."
    upstream.script = CUT_OFF
    assert page.ask("Hello").startswith("cut")
    assert page.text("stopped") == "Ended by length."
    upstream.script = says("fine")
    assert page.ask("Hello") == "fine"


def test_message_that_is_too_long_for_the_websocket_is_said(
    page: Page, upstream: ScriptedUpstream
) -> None:
    page.select("transport", "websocket")
    page.ask("x" * 40_000)
    assert "32 KB a frame. Use the Function URL." in page.text("error")
    page.select("transport", "url")
    assert page.ask("x" * 40_000) == "Hello"
    assert len(bodies(upstream)) == 1
    assert all("1009" in fault or "WebSocket" in fault for fault in page.faults())


def test_stack_that_ends_is_said_on_both_transports(
    browser: Browser, upstream: ScriptedUpstream
) -> None:
    provider = {"OPENAI_BASE_URL": upstream.url, "OPENAI_API_KEY": "sk-test-ending"}
    with ready_service(ROOT / "serverless.yml", **provider) as stack:
        pages = {transport: browser.open(f"{stack.url}/") for transport in TRANSPORTS}
        upstream.script = HOLDS
        for transport, page in pages.items():
            page.select("transport", transport)
            page.fill("prompt", "Hello")
            page.click("send")
            page.wait_text("answer", "go")
        assert stack.end() == 0
        for transport, says_so in (("url", "npm start"), ("websocket", "connection ended")):
            page = pages[transport]
            page.wait_idle()
            assert says_so in page.text("error")
            page.close()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_template_request_gets_the_kind_of_answer_that_is_chosen(
    page: Page, upstream: ScriptedUpstream, transport: str
) -> None:
    upstream.script = says("It is [[4", "2]].")
    page.select("transport", transport)
    assert page.evaluate("document.querySelector('#templates option').value") == "PROMPT_HAIKU"
    page.fill("template", "PROMPT_TEST")
    for kind, answer in (("stream", "It is [[42]]."), ("full", "It is [[42]]."), ("int", "42")):
        page.select("response-type", kind)
        assert page.ask("How much?") == answer
    system = {"role": "system", "content": PROMPT}
    assert all(body["messages"][0] == system for body in bodies(upstream))
    page.fill("template", "PROMPT_MISSING")
    page.ask("How much?")
    assert "prompt_template_not_found" in page.text("error")
    assert all(fault.startswith(BY_BROWSER) for fault in page.faults())


def test_keys_stay_in_memory_and_out_of_the_lines_to_copy(keyed_page: Page) -> None:
    page = keyed_page
    for transport in TRANSPORTS:
        page.select("transport", transport)
        page.fill("key", "not-the-key-of-this-gateway")
        page.ask("Hello")
        assert ("invalid_api_key" if transport == "url" else "key") in page.text("error")
        page.fill("key", FORWARD_KEY)
        assert page.ask("Hello") == "Hello"
        for tab in ("curl", "wscat", "Python", "JavaScript"):
            page.do("tab", tab)
            assert FORWARD_KEY not in page.text("code")
            assert "SLUICE_KEY" in page.text("code")
    stored = "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"
    assert page.evaluate(stored) == '[{},{},""]'
    assert FORWARD_KEY not in page.evaluate("document.documentElement.outerHTML")
    page.wait_text("requests", "handshake")
    assert all(BY_BROWSER in fault or "WebSocket connection" in fault for fault in page.faults())


TRICKY = 'It\'s "here": $HOME `x` \\n \\ é \U0001f600 </script>'


def test_lines_to_copy_work_as_they_are(page: Page, upstream: ScriptedUpstream) -> None:
    page.fill("prompt", TRICKY)
    asked = [{"role": "user", "content": TRICKY}]
    cases = (
        ("url", "", ("curl", "Python", "JavaScript")),
        ("url", "PROMPT_TEST", ("curl", "Python")),
        ("websocket", "", ("Python", "wscat")),
        ("websocket", "PROMPT_TEST", ("Python",)),
    )
    for transport, template, languages in cases:
        page.select("transport", transport)
        page.fill("template", template)
        for language in languages:
            page.do("tab", language)
            upstream.requests.clear()
            printed = paste(language, page.text("code"))
            assert "Hel" in printed, language
            assert "lo" in printed
            assert bodies(upstream)[0]["messages"][-1:] == asked


def test_lines_to_copy_read_the_key_from_the_environment(
    keyed_page: Page, upstream: ScriptedUpstream
) -> None:
    page = keyed_page
    for transport, language in (("url", "curl"), ("url", "Python"), ("websocket", "Python")):
        page.select("transport", transport)
        page.do("tab", language)
        assert "Hel" in paste(language, page.text("code"), SLUICE_KEY=FORWARD_KEY)
    assert len(bodies(upstream)) == 3


def test_requests_show_what_other_clients_did_and_no_prompt(
    page: Page, signed_stack: RunningStack
) -> None:
    curl = ["curl", "-s", "-H", "Authorization: Bearer local", f"{signed_stack.url}/?message=hush"]
    subprocess.run(curl, check=True, capture_output=True)
    page.wait_text("requests", "GET /")
    assert "hush" not in page.text("requests")
