"""A stack with a scripted upstream, for the chats of a module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.running_stack import ROOT, RunningStack, ready_service
from tests.scripted_upstream import ScriptedUpstream, says, scripted_upstream

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def shared_upstream() -> Iterator[ScriptedUpstream]:
    with scripted_upstream() as server:
        yield server


@pytest.fixture
def upstream(shared_upstream: ScriptedUpstream) -> ScriptedUpstream:
    """The stack's upstream, as if new."""
    return shared_upstream.renewed(says("Hel", "lo"))


@pytest.fixture(scope="module")
def stack(shared_upstream: ScriptedUpstream) -> Iterator[RunningStack]:
    """What `npm start` gives."""
    settings = {"UPSTREAM_RETRIES": "0", "PROMPT_TEST": "You are a test."}
    with ready_service(
        ROOT / "serverless.yml",
        OPENAI_BASE_URL=shared_upstream.url,
        OPENAI_API_KEY="sk-test-of-chats",
        **settings,
    ) as running:
        yield running


@pytest.fixture(params=["--url", "--ws"])
def way(request: pytest.FixtureRequest) -> str:
    """The option of each transport."""
    option: str = request.param
    return option
