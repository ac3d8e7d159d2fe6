"""Two stacks for the end-to-end tests of a process, with one scripted upstream."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from websockets.sync.client import ClientConnection

from tests.patient_client import connect
from tests.running_stack import RunningStack, ready_service
from tests.scripted_upstream import ScriptedUpstream, says, scripted_upstream

if TYPE_CHECKING:
    from collections.abc import Iterator

PROVIDER_KEY = "sk-test-end-to-end-0123456789"
FORWARD_KEY = "fk-test-end-to-end"
PAGE_ORIGIN = "https://app.example"
PROMPT = "You are a test of the end-to-end kind."


@pytest.fixture(scope="session")
def shared_upstream() -> Iterator[ScriptedUpstream]:
    with scripted_upstream() as server:
        yield server


@pytest.fixture
def upstream(shared_upstream: ScriptedUpstream) -> ScriptedUpstream:
    """The upstream of both stacks, as if new."""
    return shared_upstream.renewed(says("Hel", "lo"))


@pytest.fixture(scope="session")
def signed_stack(shared_upstream: ScriptedUpstream) -> Iterator[RunningStack]:
    """Signed requests, and a WebSocket that is open on loopback: what `npm start` gives."""
    with ready_service(
        OPENAI_BASE_URL=shared_upstream.url, OPENAI_API_KEY=PROVIDER_KEY, PROMPT_TEST=PROMPT
    ) as stack:
        yield stack
        assert stack.end() == 0
    assert PROVIDER_KEY not in stack.text()
    assert PROMPT not in stack.text()


@pytest.fixture(scope="session")
def keyed_stack(shared_upstream: ScriptedUpstream) -> Iterator[RunningStack]:
    """A forward key opens both the URL and the WebSocket; pages of one origin may use the URL."""
    with ready_service(
        OPENAI_BASE_URL=shared_upstream.url,
        OPENAI_API_KEY=PROVIDER_KEY,
        FORWARD_KEY=FORWARD_KEY,
        FUNCTION_URL_AUTH="none",
        WEBSOCKET_AUTH="forward_key",
        CORS_ALLOW_ORIGINS=PAGE_ORIGIN,
    ) as stack:
        yield stack
        assert stack.end() == 0
    assert PROVIDER_KEY not in stack.text()
    assert FORWARD_KEY not in stack.text()


@pytest.fixture
def client(signed_stack: RunningStack) -> Iterator[ClientConnection]:
    with connect(signed_stack.websocket_url) as connection:
        yield connection
