"""Keys with a record, through the running stack: limits, budgets and what is charged in the end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx2
import openai
import pytest

from sluice.access.records import MICRO
from sluice.authentication import account_of_key
from sluice.state.changes import Change
from tests.end_to_end.counted_answer import COUNTS, QUESTION, counted
from tests.end_to_end.keyed_service import Service, keyed_service
from tests.patient_client import connect
from tests.scripted_upstream import (
    PATIENCE_S,
    GatedAnswer,
    ScriptedUpstream,
    delta,
    endless,
    says,
    sse,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

COUNTED_USD = 200 / MICRO


@pytest.fixture(scope="module")
def service(
    shared_upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    with keyed_service(shared_upstream, tmp_path_factory.mktemp("state")) as service:
        yield service


def test_key_with_a_record_streams_and_is_charged_what_the_provider_counted(
    service: Service, upstream: ScriptedUpstream
) -> None:
    upstream.script = counted
    key = service.key(max_budget=MICRO, budget_duration="1d")
    assert service.answer(key) == "Hello"
    assert upstream.requests[0].document["stream_options"] == {"include_usage": True}
    assert service.settled(key) == {
        "requests": 1,
        "input_tokens": 100,
        "output_tokens": 50,
        "micro_usd": 200,
    }
    info = service.info(key)
    assert (info["spend"], info["reserved"], info["max_budget"]) == (COUNTED_USD, 0, 1)
    assert info["running_requests"] == 0


def test_client_gets_the_providers_bytes_without_the_usage_that_it_did_not_ask_for(
    service: Service, upstream: ScriptedUpstream
) -> None:
    upstream.script = counted
    body = {"model": "gpt", "messages": QUESTION, "stream": True}
    headers = {"Authorization": f"Bearer {service.key(rpm_limit=9)}"}
    url = f"{service.stack.url}/v1/chat/completions"
    reply = httpx2.post(url, json=body, headers=headers)
    assert reply.content == delta("Hel") + delta("lo") + sse("[DONE]")
    asking = {**body, "stream_options": {"include_usage": True}}
    reply = httpx2.post(url, json=asking, headers=headers)
    assert sse({"choices": [], "usage": COUNTS}) in reply.content
    assert reply.headers["x-ratelimit-limit-requests"] == "9"
    assert reply.headers["x-ratelimit-remaining-requests"] == "7"


def test_request_over_the_limit_is_refused_until_the_next_minute(
    service: Service, upstream: ScriptedUpstream
) -> None:
    key = service.key(rpm_limit=1)
    errors = []
    for _ in range(3):  # so one is refused even if a minute ends in between
        try:
            assert service.answer(key) == "Hello"
        except openai.RateLimitError as error:
            errors.append(error)
    assert 1 <= len(upstream.requests) == 3 - len(errors) <= 2
    assert errors[0].code == "rate_limit_exceeded"
    assert "has reached its limit of 1 requests in 60 s" in errors[0].message
    headers = errors[0].response.headers
    assert 0 < int(headers["retry-after-ms"]) <= int(headers["retry-after"]) * 1000 <= 60_000


def test_limit_over_the_websocket_is_an_error_frame(
    service: Service, upstream: ScriptedUpstream
) -> None:
    upstream.script = counted
    key = service.key(max_budget=MICRO, rpm_limit=60_000)
    url = f"{service.stack.websocket_url}?key={key}"
    chat = {"action": "chat", "id": "7", "request": {"model": "gpt", "messages": QUESTION}}
    with connect(url) as client:

        def frames() -> list[dict[str, Any]]:
            client.send(json.dumps(chat))
            found: list[dict[str, Any]] = []
            while not found or not (found[-1].get("done") or "error" in found[-1]):
                found.append(json.loads(client.recv(PATIENCE_S)))
            return found

        events = [event for frame in frames() for event in frame.get("events", ())]
        assert [event["choices"][0]["delta"] for event in events] == [
            {"content": "Hel"}, {"content": "lo"},
        ]  # fmt: skip
        assert service.settled(key)["micro_usd"] == 200
        account = account_of_key(key)
        service.store.change(Change(account, None, put={"max_budget": 1}, add={"revision": 1}))
        (refused,) = frames()
    assert refused["error"]["code"] == "insufficient_quota"
    assert refused["id"] == "7"


def test_spent_budget_is_refused_and_openais_client_does_not_retry(
    service: Service, upstream: ScriptedUpstream
) -> None:
    key = service.key(max_budget=10)
    with pytest.raises(openai.RateLimitError) as caught:
        service.client(key, retries=2).chat.completions.create(model="gpt", messages=QUESTION)
    assert caught.value.code == "insufficient_quota"
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert upstream.requests == []


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"models": ("o3*",)}, 403, "model_not_allowed"),
        ({"blocked": True}, 401, "invalid_api_key"),
        ({"expires": 1}, 401, "invalid_api_key"),
        ({"max_budget": MICRO, "models": ("*",)}, 403, "model_without_price"),
    ],
)
def test_record_that_does_not_allow_a_request(
    service: Service,
    upstream: ScriptedUpstream,
    fields: dict[str, Any],
    status: int,
    code: str,
) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        service.answer(service.key(**fields), "unpriced")
    assert (caught.value.status_code, caught.value.code) == (status, code)
    assert upstream.requests == []


def test_record_allows_its_prompt_templates_alone(
    service: Service, upstream: ScriptedUpstream
) -> None:
    upstream.script = says("Hel", "lo")
    headers = {"Authorization": f"Bearer {service.key(prompt_templates=('PROMPT_TEST',))}"}
    replies = [
        httpx2.post(
            service.stack.url,
            json={"prompt_template": name, "messages": QUESTION, "response_type": "full"},
            headers=headers,
        )
        for name in ("PROMPT_TEST", "PROMPT_HAIKU")
    ]
    assert replies[0].text == "Hello"
    assert replies[1].json()["error"]["code"] == "prompt_template_not_allowed"


def test_block_takes_effect_at_once(service: Service, upstream: ScriptedUpstream) -> None:
    assert upstream
    key = service.key()
    assert service.answer(key) == "Hello"
    account = account_of_key(key)
    service.store.change(Change(account, None, put={"blocked": 1}, add={"revision": 1}))
    with pytest.raises(openai.AuthenticationError, match="is blocked"):
        service.answer(key)


def test_answers_at_once_are_limited(service: Service, upstream: ScriptedUpstream) -> None:
    gated = GatedAnswer("Hel", "lo")
    upstream.script = gated
    key = service.key(max_parallel_requests=1)
    gated.open()
    first = service.client(key).chat.completions.create(model="gpt", messages=QUESTION, stream=True)
    assert next(first).choices[0].delta.content == "Hel"
    with pytest.raises(openai.RateLimitError, match="limit of 1 answers at once"):
        service.answer(key)
    gated.open(2)
    assert [each.choices[0].delta.content for each in first] == ["lo"]
    service.settled(key)
    upstream.script = says("Hel", "lo")
    assert service.answer(key) == "Hello"


def test_client_that_leaves_is_charged_what_it_was_given(
    service: Service, upstream: ScriptedUpstream
) -> None:
    upstream.script = endless("Hel", "lo")
    key = service.key(max_budget=MICRO)
    chat = {"action": "chat", "id": "7", "request": {"model": "gpt", "messages": QUESTION}}
    with connect(f"{service.stack.websocket_url}?key={key}") as client:
        client.send(json.dumps(chat))
        client.recv(PATIENCE_S)
    usage = service.settled(key)
    assert usage["estimated_requests"] == 1
    assert usage["output_tokens"] >= 1
    info = service.info(key)
    assert info["reserved"] == 0
    assert info["spend"] == usage["micro_usd"] / MICRO
