"""The answer cache through the running stack, with OpenAI's SDK and WebSockets."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import httpx2
import openai
import pytest

from sluice.access.records import MICRO, Record
from sluice.authentication import account_of_key
from sluice.settings import DEFAULT_MODEL
from tests.end_to_end.conftest import FORWARD_KEY
from tests.end_to_end.counted_answer import COUNTS, QUESTION
from tests.end_to_end.keyed_service import Service, keyed_service
from tests.patient_client import connect
from tests.running_stack import RunningStack
from tests.scripted_upstream import PATIENCE_S, answer_stream, says, sends, sse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.scripted_upstream import ScriptedUpstream

USAGE = sse({"choices": [], "usage": {"total_tokens": 3}})
COUNTED = answer_stream(["Hello"]).replace(USAGE, sse({"choices": [], "usage": COUNTS}))
RPM = 10_000
TEAM_KEY = "sk-sluice-" + "7" * 32


@pytest.fixture(scope="module")
def service(
    shared_upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("state")
    with keyed_service(shared_upstream, folder, CACHE_CHAT_COMPLETION="true") as running:
        yield running


@pytest.fixture
def stack(service: Service) -> RunningStack:
    return service.stack


def ask(stack: RunningStack, key: str, question: str, **members: Any) -> httpx2.Response:
    headers = {"authorization": f"Bearer {key}"}
    messages = [{"role": "user", "content": question}]
    document = {"model": "gpt", "messages": messages, **members}
    url = f"{stack.url}/v1/chat/completions"
    return httpx2.post(url, json=document, headers=headers, timeout=PATIENCE_S)


def ask_until_kept(
    stack: RunningStack, key: str, question: str, **members: Any
) -> list[httpx2.Response]:
    """Ask until the answer comes from the cache: it is kept after the client has its last byte."""
    answers = [ask(stack, key, question, **members)]
    assert answers[0].headers["x-sluice-cache"] == "MISS"
    end = time.monotonic() + PATIENCE_S
    while answers[-1].headers["x-sluice-cache"] != "HIT":
        assert time.monotonic() < end
        answers.append(ask(stack, key, question, **members))
    return answers


def test_sdk_gets_the_kept_answer_streamed_and_whole(
    stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    upstream.script = says("Kept", " answer")
    ask_until_kept(stack, FORWARD_KEY, QUESTION[0]["content"], stream=True)
    upstream.requests.clear()
    with openai.OpenAI(base_url=f"{stack.url}/v1", api_key=FORWARD_KEY) as client:
        chunks = client.chat.completions.create(model="gpt", messages=QUESTION, stream=True)
        texts = [each.choices[0].delta.content or "" for each in chunks]
        assert "".join(texts) == "Kept answer"
        raw = client.chat.completions.with_raw_response.create(model="gpt", messages=QUESTION)
        assert raw.parse().choices[0].message.content == "Kept answer"
        assert raw.headers["x-sluice-cache"] == "HIT"
        assert int(raw.headers["age"]) < PATIENCE_S
    assert upstream.requests == []


def test_websocket_chats_and_templates_hit_what_the_url_has_kept(
    stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    upstream.script = says("One", " for all")
    messages = [{"role": "user", "content": "both?"}]
    ask_until_kept(stack, FORWARD_KEY, "both?", model=DEFAULT_MODEL, stream=True)
    upstream.requests.clear()
    chat = {"action": "chat", "id": "7", "request": {"messages": messages}}
    headers = {"authorization": f"Bearer {FORWARD_KEY}"}
    with connect(stack.websocket_url, additional_headers=headers) as connection:
        for response_type in ("full", "stream"):
            connection.send(json.dumps({"messages": messages, "response_type": response_type}))
            texts = [str(connection.recv(PATIENCE_S))]
            while response_type == "stream" and texts[-1] != "<END>":
                texts.append(str(connection.recv(PATIENCE_S)))
            assert "".join(texts).removesuffix("<END>") == "One for all"
        connection.send(json.dumps(chat))
        frames = [json.loads(connection.recv(PATIENCE_S))]
        while not frames[-1].get("done"):
            frames.append(json.loads(connection.recv(PATIENCE_S)))
    events = [event for frame in frames for event in frame["events"]]
    deltas = [event["choices"][0]["delta"].get("content", "") for event in events]
    assert "".join(deltas) == "One for all"
    assert upstream.requests == []


def test_template_over_the_url_says_what_it_wants_and_learns_what_the_cache_did(
    stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    upstream.script = says("[[7]]")
    messages = [{"role": "user", "content": "a number?"}]
    document = {"messages": messages, "response_type": "int"}
    states = []
    for headers, more in (({}, {}), ({"cache-control": "no-cache"}, {}), ({}, {"caching": False})):
        own = {"authorization": f"Bearer {FORWARD_KEY}", **headers}
        answer = httpx2.post(stack.url, json={**document, **more}, headers=own, timeout=PATIENCE_S)
        assert answer.text == "7"
        states.append(answer.headers["x-sluice-cache"])
    assert states == ["MISS", "MISS", "BYPASS"]


def test_keys_do_not_share_answers_and_a_hit_costs_no_tokens(
    service: Service, upstream: ScriptedUpstream
) -> None:
    stack, token = service.stack, account_of_key(TEAM_KEY).removeprefix("key ")
    service.write(Record("team", token=token, rpm_limit=RPM, max_budget=MICRO))
    upstream.script = sends(COUNTED, "text/event-stream")
    ask_until_kept(stack, FORWARD_KEY, "whose?", stream=True)
    answers = ask_until_kept(stack, TEAM_KEY, "whose?", stream=True)
    assert len({answer.content for answer in answers}) == 1
    left = [int(answer.headers["x-ratelimit-remaining-requests"]) for answer in answers]
    assert left == [RPM - 1 - number for number in range(len(answers))]  # a hit counts as a request
    counts = service.settled(TEAM_KEY, len(answers))
    misses = len(answers) - 1
    assert (counts["input_tokens"], counts["output_tokens"]) == (100 * misses, 50 * misses)
    assert counts["micro_usd"] == 200 * misses
    saved = (counts["cache_hits"], counts["saved_tokens"], counts["saved_micro_usd"])
    assert saved == (1, 150, 200)
