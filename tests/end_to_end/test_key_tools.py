"""`npm run keys` and `npm run usage` next to the running stack."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import openai
import pytest

from tests.child_environment import ROOT, inherited
from tests.end_to_end.counted_answer import QUESTION, counted
from tests.end_to_end.curl import curl
from tests.end_to_end.keyed_service import Service, keyed_service
from tests.running_stack import PATIENCE_S
from tests.scripted_upstream import (
    GatedAnswer,
    ScriptedUpstream,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


class Platform:
    """The running stack, and the tools in processes that know its state file alone."""

    def __init__(self, service: Service) -> None:
        self.stack = service.stack
        self._environ = {**inherited("PATH"), "STATE_FILE": str(service.file)}

    def run(self, tool: str, *arguments: str) -> Any:
        """The document that a tool prints."""
        command = [sys.executable, "-m", f"scripts.{tool}", *arguments, "--json"]
        printed = subprocess.check_output(command, cwd=ROOT, env=self._environ)
        return json.loads(printed)

    def answer(self, key: str) -> str:
        with self.asked(key) as pieces:
            return "".join(pieces)

    @contextmanager
    def asked(self, key: str) -> Iterator[Iterator[str]]:
        """Ask a question; the pieces of the answer as they come."""
        with openai.OpenAI(base_url=f"{self.stack.url}/v1", api_key=key, max_retries=0) as client:
            chunks = client.chat.completions.create(
                model="gpt", messages=QUESTION, stream=True, max_tokens=100
            )
            yield (each.choices[0].delta.content or "" for each in chunks)

    def used(self, alias: str, requests: int) -> dict[str, Any]:
        """An alias's row of usage, once so many requests are counted."""
        end = time.monotonic() + PATIENCE_S
        while True:
            rows = self.run("usage", "--by", "key,model")["rows"]
            row: dict[str, Any] = next((row for row in rows if row["key"] == alias), {})
            if row.get("requests") == requests:
                return row
            assert time.monotonic() < end, rows


@pytest.fixture(scope="module")
def platform(
    shared_upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    with keyed_service(shared_upstream, tmp_path_factory.mktemp("state")) as service:
        yield Platform(service)


@pytest.fixture
def provider(upstream: ScriptedUpstream) -> ScriptedUpstream:
    upstream.script = counted
    return upstream


@pytest.mark.usefixtures("provider")
def test_new_key_streams_and_its_use_is_seen_by_its_holder_and_in_reports(
    platform: Platform,
) -> None:
    key = platform.run("keys", "create", "team-a", "--budget", "1", "--budget-duration", "1mo")[
        "key"
    ]
    assert platform.answer(key) == "Hello"
    used = platform.used("team-a", requests=1)
    assert (used["model"], used["input_tokens"], used["output_tokens"]) == ("gpt", 100, 50)
    assert (used["usd"], used["failures"], used["estimated_requests"]) == (0.0002, 0, 0)
    reply = curl(f"{platform.stack.url}/key/info", "-H", f"Authorization: Bearer {key}")
    info = json.loads(reply.body)
    assert (info["key_alias"], info["spend"], info["reserved"]) == ("team-a", 0.0002, 0.0)
    assert platform.run("keys", "show", "team-a")["spend"] == 0.0002


@pytest.mark.usefixtures("provider")
def test_request_over_a_limit_learns_when_to_come_back(platform: Platform) -> None:
    key = platform.run("keys", "create", "team-b", "--rpm", "1")["key"]
    body = json.dumps({"model": "gpt", "messages": QUESTION})
    command = (f"{platform.stack.url}/v1/chat/completions", "-d", body)
    replies = [curl(*command, "-H", f"Authorization: Bearer {key}") for _ in range(3)]
    refused = [reply for reply in replies if reply.status == 429]
    assert refused  # one, at least, even if a minute ends in between
    assert refused[0].error_code == "rate_limit_exceeded"
    headers = refused[0].headers
    assert 0 < int(headers["retry-after-ms"]) <= int(headers["retry-after"]) * 1000 <= 60_000
    assert headers["x-ratelimit-limit-requests"] == "1"


@pytest.mark.usefixtures("provider")
def test_block_and_rotation_end_a_key_at_once(platform: Platform) -> None:
    key = platform.run("keys", "create", "team-c", "--budget", "1")["key"]
    assert platform.answer(key) == "Hello"
    platform.run("keys", "block", "team-c")
    with pytest.raises(openai.AuthenticationError, match="is blocked"):
        platform.answer(key)
    platform.run("keys", "unblock", "team-c")  # within 30 s
    new = platform.run("keys", "rotate", "team-c")["key"]
    with pytest.raises(openai.AuthenticationError):
        platform.answer(key)
    assert platform.answer(new) == "Hello"
    assert platform.used("team-c", requests=2)["usd"] == 0.0004
    platform.run("keys", "delete", "team-c")
    with pytest.raises(openai.AuthenticationError, match="unknown key"):
        platform.answer(new)


def test_answer_goes_on_while_its_key_is_rotated(
    platform: Platform, provider: ScriptedUpstream
) -> None:
    made = platform.run("keys", "create", "team-d", "--budget", "1")
    provider.script = gated = GatedAnswer("Hel", "lo")
    gated.open()
    with platform.asked(made["key"]) as pieces:
        assert next(pieces) == "Hel"
        assert platform.run("keys", "rotate", "team-d")["charged_requests"] == 1
        gated.open(2)
        assert list(pieces) == ["lo"]
    assert platform.used("team-d", requests=1)["output_tokens"] > 0
    shown = platform.run("keys", "show", "team-d")
    assert shown["spend"] >= 0.0002  # what it could have cost
    assert (shown["reserved"], shown["running_requests"]) == (0.0, 0)
