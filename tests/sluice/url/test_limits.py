"""What clients with limits see on every reply, and when their requests are settled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sluice.access.deployment_limits import DeploymentLimits
from sluice.access.gate import Gate
from sluice.access.identity import Access
from sluice.access.memory import MEMORY_MS
from sluice.access.prices import PriceList
from sluice.access.records import Record, item_of
from sluice.authentication import account_of_key
from sluice.state.changes import Change, Outcome
from sluice.state.sqlite import SqliteState
from sluice.url.gateway import UrlGateway
from tests.scripted_upstream import (
    EVENT_STREAM_HEAD,
    ScriptedUpstream,
    UpstreamRequest,
    dies_after,
    hangs_up,
    replies,
    says,
    sends,
)
from tests.sluice.answering import SECRET, answering_with
from tests.sluice.clocks import HandClock
from tests.sluice.url.asking import HELLO, LOCK, Reply, UrlBench, answer_to, event_of, gateway_with

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from tests.scripted_upstream import Script

KEY = "sk-sluice-0123456789"
RECORD = Record(
    "team",
    token=account_of_key(KEY).removeprefix("key "),
    models=("gpt*",),
    rpm_limit=1000,
)
CHAT = {"model": "gpt", "messages": HELLO, "stream": True}
TEXT = {"messages": HELLO, "response_type": "full"}
THEIRS = {"x_ratelimit_limit_requests": "1", "x_ratelimit_limit_tokens": "1"}
LIMIT = "x-ratelimit-limit-requests"


class Store(SqliteState):
    """Notes whether the reply had ended at each change."""

    def __init__(self, file: Path) -> None:
        super().__init__(str(file))
        self.reply = Reply()
        self.changed_after_the_end: list[bool] = []

    def change(self, change: Change) -> Outcome:
        self.changed_after_the_end.append(self.reply.ended)
        return super().change(change)

    def ask(
        self, upstream: ScriptedUpstream, body: object, key: str = LOCK["FORWARD_KEY"]
    ) -> Reply:
        variables = {
            **LOCK,
            "OPENAI_BASE_URL": upstream.url,
            "OPENAI_API_KEY": SECRET,
            "UPSTREAM_RETRIES": "0",
            "UPSTREAM_FIRST_BYTE_TIMEOUT": "0.05",
            "GLOBAL_RATE_LIMIT": "9/day" if key != KEY else "",
            "MODEL_PRICES": '{"gpt": {"input": 1, "output": 2}}',
        }
        self.reply = Reply()
        path = "/" if body == TEXT else "/v1/chat/completions"
        event = event_of("POST", path, body, headers={"authorization": f"Bearer {key}"})
        return answer_to(event, gateway_with(variables, self), reply=self.reply)


def is_silent(_request: UpstreamRequest, _connection: socket.socket) -> None:
    """A script: read the request, and leave the connection open."""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "state.sqlite3")


@pytest.mark.parametrize(
    ("script", "body", "status"),
    [
        (says("Hello"), CHAT, 200),
        (says("Hello"), TEXT, 200),
        (replies(429, {"error": {"message": "Slow down."}}, **THEIRS), CHAT, 429),
        (sends(b"", status=500, **THEIRS), CHAT, 500),
        (replies(302, {}, **THEIRS), CHAT, 502),
        (hangs_up, CHAT, 502),
        (dies_after(EVENT_STREAM_HEAD), CHAT, 502),
        (is_silent, CHAT, 504),
    ],
    ids=["stream", "text", "429", "500", "redirect", "hangs up", "no first event", "silent"],
)
def test_reply_says_what_is_left_before_the_request_is_settled(
    store: Store, upstream: ScriptedUpstream, script: Script, body: dict[str, Any], status: int
) -> None:
    upstream.script = script
    reply = store.ask(upstream, body)
    assert (reply.status, reply.headers[LIMIT]) == (status, "9")
    assert reply.headers["x-ratelimit-remaining-requests"] == "8"
    assert "x-ratelimit-limit-tokens" not in reply.headers
    assert store.changed_after_the_end == [False, True, True]


@pytest.mark.parametrize(
    ("model", "fields", "code"),
    [
        ("gpt", {"max_budget": 1}, "insufficient_quota"),
        ("gpt", {"max_parallel_requests": 0}, "rate_limit_exceeded"),
        ("o3", {}, "model_not_allowed"),
        ("gpt-unpriced", {"max_budget": 1}, "model_without_price"),
    ],
)
def test_refusal_says_what_is_left(
    store: Store, upstream: ScriptedUpstream, model: str, fields: dict[str, Any], code: str
) -> None:
    record = RECORD._replace(**fields)
    store.change(Change(record.key, None, put=item_of(record)))
    reply = store.ask(upstream, {**CHAT, "model": model}, KEY)
    assert reply.error["code"] == code
    assert (reply.headers[LIMIT], upstream.requests) == ("1000", [])
    assert reply.headers["content-type"] == "application/json"


def test_providers_limits_reach_a_client_without_limits_also_with_a_text(
    bench: UrlBench,
) -> None:
    bench.upstream.script = replies(200, {"choices": [{"message": {"content": "Hi"}}]}, **THEIRS)
    for path, body in (("/v1/chat/completions", CHAT), ("/", TEXT)):
        assert bench.ask("POST", path, body).headers[LIMIT] == "1"


def test_own_answer_is_not_for_a_key_that_was_blocked_half_a_minute_ago(store: Store) -> None:
    clock = HandClock()
    gate = Gate(store, DeploymentLimits(), lambda: PriceList('{"servers": {}}', {}), str, clock)

    class GatedAccess(Access):
        def gate(self) -> Gate:
            return gate

    azure = {"AZURE_OPENAI_ENDPOINT": "https://x.openai.azure.com", "OPENAI_API_KEY": SECRET}
    settings, targets, keys, answers, _ = answering_with({**LOCK, **azure})
    gateway = UrlGateway(settings, answers, targets, keys, GatedAccess(settings, keys, store))
    event = event_of("GET", "/v1/models", headers={"authorization": f"Bearer {KEY}"})
    store.change(Change(RECORD.key, None, put=item_of(RECORD)))
    assert answer_to(event, gateway).status == 200
    store.change(Change(RECORD.key, None, put={"blocked": 1, "revision": 2}))
    clock.now += MEMORY_MS / 1000
    assert answer_to(event, gateway).refusal == (401, "invalid_api_key")
