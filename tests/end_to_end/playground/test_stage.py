"""The playground of a stage, which local stacks stand in for, in a real Chromium."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO

import pytest

from scripts.access.shell import Shell
from scripts.playground.program import main
from tests.child_environment import inherited
from tests.end_to_end.conftest import FORWARD_KEY
from tests.end_to_end.playground.chromium import Browser, Page
from tests.end_to_end.playground.conftest import OWN_PAIR
from tests.running_stack import PATIENCE_S, ROOT, RunningStack, ready_service
from tests.scripted_upstream import ScriptedUpstream, refused_url, sends
from tests.scripts.described_stack import described_stack


@contextmanager
def open_to_all_pages(upstream: ScriptedUpstream) -> Iterator[RunningStack]:
    with ready_service(
        ROOT / "serverless.yml",
        OPENAI_BASE_URL=upstream.url,
        OPENAI_API_KEY="sk-test",
        FORWARD_KEY=FORWARD_KEY,
        FUNCTION_URL_AUTH="none",
        WEBSOCKET_AUTH="forward_key",
        CORS_ALLOW_ORIGINS="*",
    ) as running:
        yield running


def arguments(*options: str) -> list[str]:
    return [sys.executable, "-m", "scripts.playground", "--port", "0", *options]


def environment(**more: str) -> dict[str, str]:
    unset = dict.fromkeys(("FUNCTION_URL_AUTH", "WEBSOCKET_AUTH", "FORWARD_KEY"), "")
    return {**inherited("PATH", "HOME"), **unset, **more}


@contextmanager
def tool(*options: str, **environ: str) -> Iterator[tuple[str, list[str]]]:
    """The program, until its page can be opened: the page's address, and what was printed."""
    with subprocess.Popen(
        arguments(*options), cwd=ROOT, env=environment(**environ), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "Ready" in line:
                break
        try:
            yield lines[0].split()[1], lines
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE_S) == 0


@contextmanager
def opened(browser: Browser, running: RunningStack) -> Iterator[tuple[Page, list[str]]]:
    with tool("--http-url", running.url, "--ws-url", running.websocket_url) as (address, lines):
        page = browser.open(address, models=False)
        yield page, lines
        assert page.faults() == []
        page.close()


def test_stage_with_keys_answers_on_both_transports(
    browser: Browser, upstream: ScriptedUpstream
) -> None:
    with open_to_all_pages(upstream) as running, opened(browser, running) as (page, lines):
        assert not any("Note" in line for line in lines)
        page.fill("key", FORWARD_KEY)
        for transport in ("url", "websocket"):
            page.select("transport", transport)
            assert page.ask("Hello") == "Hello"
        assert page.evaluate("document.getElementById('requests-section').hidden") is True
        assert running.url in page.text("code")


@pytest.mark.usefixtures("upstream")
def test_stage_with_signatures_answers_at_a_presigned_address(
    browser: Browser, own_pair_stack: RunningStack
) -> None:
    with opened(browser, own_pair_stack) as (page, lines):
        assert any("FUNCTION_URL_AUTH=none" in line for line in lines)
        assert page.evaluate("document.getElementById('transport').value") == "websocket"
        page.fill("access-key", OWN_PAIR["AWS_ACCESS_KEY_ID"])
        page.fill("secret-key", OWN_PAIR["AWS_SECRET_ACCESS_KEY"])
        page.fill("session-token", "odd/+= token")
        assert page.ask("Hello") == "Hello"
        stored = "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"
        assert page.evaluate(stored) == '[{},{},""]'
        assert OWN_PAIR["AWS_SECRET_ACCESS_KEY"] not in page.text("code")


@pytest.mark.usefixtures("upstream")
def test_page_says_what_to_deploy_for_cors(browser: Browser, keyed_stack: RunningStack) -> None:
    with opened(browser, keyed_stack) as (page, lines):
        origin = page.evaluate("location.origin")
        advice = f"CORS_ALLOW_ORIGINS={origin}"
        assert any(advice in line for line in lines)
        assert advice in page.evaluate("document.getElementById('notices').textContent")
        page.select("transport", "url")
        page.fill("key", FORWARD_KEY)
        page.ask("Hello")
        assert advice in page.text("error")
        assert all("CORS" in fault or "Failed to load" in fault for fault in page.faults())
        page.select("transport", "websocket")
        assert page.ask("Hello") == "Hello"


def test_stage_that_does_not_answer_is_said(browser: Browser) -> None:
    nowhere = refused_url()
    nothing = "--http-url", nowhere, "--ws-url", nowhere.replace("http", "ws")
    with tool(*nothing) as (address, lines):
        assert sum("does not answer" in line for line in lines) == 2
        page = browser.open(address, models=False)
        page.fill("key", FORWARD_KEY)
        page.ask("Hello")
        assert "Cannot connect" in page.text("error")
        assert all("WebSocket" in fault for fault in page.faults())
        page.close()


def test_stage_is_looked_up_in_its_stack() -> None:
    websocket_url = refused_url().replace("http", "ws")
    with described_stack(f"{refused_url()}/", websocket_url) as (cloudformation, account):
        with tool("--stage", "qa", **account) as (_, lines):
            assert "(stage qa)" in lines[0]
        assert b"StackName=sluice-qa" in cloudformation.requests[0].body
        cloudformation.script = sends(b"<ErrorResponse/>", "text/xml", 400)
        done = subprocess.run(
            arguments("--stage", "qa"), cwd=ROOT, env=environment(**account), capture_output=True,
            text=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("playground: Cannot look up the stack sluice-qa in us-east-1")


def test_wrong_options_are_said() -> None:
    for options, says_so in (
        (["--port", "x"], "--port must be"),
        (["--http-url", "http://h"], "need each other"),
    ):
        out, err = StringIO(), StringIO()
        shell = Shell(options, environment(), StringIO(), out, err)
        assert main(shell) == 1
        assert says_so in err.getvalue()
