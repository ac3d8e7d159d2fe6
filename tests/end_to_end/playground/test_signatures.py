"""The playground of a stack with a key pair of its own: each request is signed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.end_to_end.playground.chromium import TAKES_TIME, Browser
from tests.end_to_end.playground.pasting import paste
from tests.running_stack import ROOT, RunningStack, ready_service
from tests.scripted_upstream import ScriptedUpstream

pytestmark = TAKES_TIME

ACCOUNT = {"AWS_ACCESS_KEY_ID": "AKIDOWN", "AWS_SECRET_ACCESS_KEY": "odd/+=secret"}


@pytest.fixture
def stack(upstream: ScriptedUpstream) -> Iterator[RunningStack]:
    provider = {"OPENAI_BASE_URL": upstream.url, "OPENAI_API_KEY": "sk-test-signatures"}
    modes = {"WEBSOCKET_AUTH": "aws_iam", **ACCOUNT}
    with ready_service(ROOT / "serverless.yml", **provider, **modes) as running:
        yield running


def test_credentials_sign_both_transports_and_the_lines_to_copy(
    browser: Browser, stack: RunningStack
) -> None:
    page = browser.open(f"{stack.url}/", models=False)
    page.fill("access-key", ACCOUNT["AWS_ACCESS_KEY_ID"])
    page.fill("secret-key", ACCOUNT["AWS_SECRET_ACCESS_KEY"])
    cases = {"url": ("curl", "Python"), "websocket": ("Python", "wscat")}
    for transport, languages in cases.items():
        page.select("transport", transport)
        assert page.ask("Hello") == "Hello"
        for language in languages:
            page.do("tab", language)
            assert "Hel" in paste(language, page.text("code"), **ACCOUNT), language
            assert not any(value in page.text("code") for value in ACCOUNT.values())
    assert page.faults() == []
    page.fill("secret-key", "wrong")
    page.select("transport", "url")
    page.ask("Hello")
    assert "signature" in page.text("error")
    page.close()
