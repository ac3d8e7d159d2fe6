"""Pages of the playground in one browser. A page must end without a fault."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.end_to_end.playground.chromium import Browser, Page, browser_or_skip
from tests.running_stack import ROOT, RunningStack, ready_service
from tests.scripted_upstream import ScriptedUpstream

OWN_PAIR = {"AWS_ACCESS_KEY_ID": "AKIDODD", "AWS_SECRET_ACCESS_KEY": "odd/+=secret"}

browser = pytest.fixture(scope="session")(browser_or_skip)


@pytest.fixture(scope="session")
def own_pair_stack(shared_upstream: ScriptedUpstream) -> Iterator[RunningStack]:
    """A stack with a key pair of its own: each request is signed."""
    provider = {"OPENAI_BASE_URL": shared_upstream.url, "OPENAI_API_KEY": "sk-test-signatures"}
    with ready_service(
        ROOT / "serverless.yml", WEBSOCKET_AUTH="aws_iam", **provider, **OWN_PAIR
    ) as running:
        yield running


@pytest.fixture
def page(
    browser: Browser, signed_stack: RunningStack, upstream: ScriptedUpstream
) -> Iterator[Page]:
    """The playground of a stack with nothing set but its upstream."""
    yield from opened(browser, signed_stack, upstream)


@pytest.fixture
def keyed_page(
    browser: Browser, keyed_stack: RunningStack, upstream: ScriptedUpstream
) -> Iterator[Page]:
    yield from opened(browser, keyed_stack, upstream, models=False)


def opened(
    browser: Browser, stack: RunningStack, upstream: ScriptedUpstream, *, models: bool = True
) -> Iterator[Page]:
    page = browser.open(f"{stack.url}/", models=models)
    upstream.requests.clear()
    yield page
    assert page.faults() == []
    page.close()
