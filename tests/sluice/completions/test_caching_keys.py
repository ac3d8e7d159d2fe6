"""What looks like an equal request, or an answer, and is not."""

from __future__ import annotations

import json
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from sluice.completions.caching import NotCached
from sluice.completions.event_stream import EVENT_STREAM
from sluice.completions.request import ResponseType, plain_request
from sluice.upstream.call import JSON, ModelCall, chat_call
from tests.scripted_upstream import (
    EVENT_STREAM_HEAD,
    LAST_CHUNK,
    PATIENCE_S,
    UpstreamRequest,
    chunk,
    delta,
    replies,
    sends,
    sse,
)
from tests.sluice.completions.cache_bench import ASKED, STREAMED, CacheBench

if TYPE_CHECKING:
    from sluice.completions.answer import ModelAnswer
    from tests.scripted_upstream import ScriptedUpstream

USAGE = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
STOP = sse({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})


@pytest.fixture
def bench(upstream: ScriptedUpstream) -> CacheBench:
    return CacheBench(upstream)


def test_models_that_are_no_names_never_hit_each_other(bench: CacheBench) -> None:
    for number, model in enumerate((["m"], ["n"], 1, 1.0, "m\ud800", "n\ud800"), 1):
        bench.read(chat_call(json.dumps({**ASKED, "model": model}).encode()))
        assert (bench.state, bench.asked) == ("MISS", number)


def test_header_that_the_provider_gets_makes_another_request(bench: CacheBench) -> None:
    for headers in ({}, {"azureml-model-deployment": "blue"}, {"helicone-fallbacks": "n"}):
        bench.ask(STREAMED, headers=headers)
        assert bench.state == "MISS"
    # The provider does not get these, or they name the client alone.
    for headers in ({"authorization": "Bearer k"}, {"cookie": "a=b"}, {"user-agent": "x"}):
        bench.ask(STREAMED, headers=headers)
        assert bench.state == "HIT"


def test_form_of_an_answer_is_not_guessed(bench: CacheBench) -> None:
    for stream in (1, "true"):
        for _ in "ab":
            bench.ask({**ASKED, "stream": stream})
            assert bench.state == "BYPASS"


@pytest.mark.parametrize("body", [b"not JSON", b'["a list"]', b'{"model": "m", "model": "n"}'])
def test_body_that_is_no_one_request_passes_to_the_provider(bench: CacheBench, body: bytes) -> None:
    for number in (1, 2):
        bench.read(ModelCall("POST", "/chat/completions", "", {"content-type": JSON}, body, "m"))
        assert (bench.state, bench.asked) == ("BYPASS", number)


def test_what_a_provider_says_of_its_own_cache_is_not_said_of_this_one(bench: CacheBench) -> None:
    whole = {"choices": [{"message": {"content": "Yes"}, "finish_reason": "stop"}]}
    body = json.dumps(whole).encode()
    bench.upstream.script = sends(body, JSON, age="77", x_sluice_cache="HIT")
    for state in ("MISS", "HIT"):
        bench.ask(ASKED)
        assert bench.state == state
        assert bench.headers.get("age", "0") == "0"


def test_error_that_looks_like_embeddings_is_not_kept(bench: CacheBench) -> None:
    whole = {"index": 0, "embedding": [0.1]}
    answers: list[dict[str, object]] = [
        {"code": 429, "message": "busy", "data": {"retry": 1}},
        {"data": "busy"},
        {"data": [None]},
        {"data": [whole, {"index": 1}]},
        {"data": [whole], "error": {"message": "busy"}},
    ]
    for seed, answer in enumerate(answers):
        bench.upstream.script = replies(200, answer)
        for _ in "ab":
            bench.ask({**ASKED, "seed": seed}, path="/embeddings")
            assert bench.state == "MISS"
    bench.upstream.script = replies(200, {"data": [whole, {"embedding": "AACAPw=="}]})
    for state in ("MISS", "HIT"):
        bench.ask(ASKED, path="/embeddings")
        assert bench.state == state


def test_caching_is_taken_out_of_the_body_with_and_without_a_cache(bench: CacheBench) -> None:
    for cache in ("true", "false"):
        bench.answers = bench.through(CACHE_CHAT_COMPLETION=cache)
        for value in (True, False):
            bench.ask({**STREAMED, "caching": value})
            assert bench.upstream.requests[-1].document.keys() - {"stream_options"} == {*STREAMED}
        for own in ({"type": "enabled"}, None):  # a provider's
            bench.ask({**STREAMED, "caching": own})
            assert bench.upstream.requests[-1].document["caching"] == own


def test_template_requests_say_what_they_want_of_the_cache(bench: CacheBench) -> None:
    request = plain_request("Hi")
    for own, headers, state in (
        (request, {}, "MISS"),
        (request, {"cache-control": "no-cache"}, "MISS"),
        (request._replace(caching=False), {}, "BYPASS"),
        (request._replace(caching=True), {}, "HIT"),
    ):
        bench.read(own, headers=headers)
        assert bench.state == state


def test_client_may_want_a_kept_answer_or_none(bench: CacheBench) -> None:
    wish = {"cache-control": "only-if-cached"}
    for document in (STREAMED, {**STREAMED, "store": True}):
        with pytest.raises(NotCached) as caught:
            bench.ask(document, headers=wish)
        assert caught.value.headers == {"x-should-retry": "false"}
    assert bench.asked == 0
    first = bench.ask(STREAMED)
    assert (bench.ask(STREAMED, headers=wish), bench.state) == (first, "HIT")


def number_in(answer: ModelAnswer) -> str:
    return answer.text(ResponseType.INT)


def test_tokens_of_the_whole_answer_count_whatever_its_client_read(bench: CacheBench) -> None:
    request = plain_request("Hi")
    counts = sse({"choices": [], "usage": USAGE})
    stream = delta("[[42]]") + delta("a" * 20_000) + STOP + counts + sse("[DONE]")
    bench.upstream.script = sends(stream, EVENT_STREAM)
    assert bench.read(request, number_in) == "42"
    assert (bench.state, bench.line["usage"]) == ("MISS", USAGE)
    bench.read(request, number_in)
    assert (bench.state, bench.line["saved_tokens"]) == ("HIT", 12)
    body = bench.upstream.requests[0].document
    bench.ask({**body, "stream": False})  # usage is at the end of the folded answer
    assert (bench.state, bench.line["saved_tokens"]) == ("HIT", 12)


def test_answer_whose_client_has_its_value_early_is_kept_whole(bench: CacheBench) -> None:
    has_value = threading.Event()

    def in_two_parts(_request: UpstreamRequest, connection: socket.socket) -> None:
        connection.sendall(EVENT_STREAM_HEAD + chunk(delta("[[42]]")))
        assert has_value.wait(PATIENCE_S)
        connection.sendall(chunk(delta(" it is") + STOP + sse("[DONE]")) + LAST_CHUNK)

    def number(answer: ModelAnswer) -> str:
        found = number_in(answer)
        has_value.set()
        return found

    bench.upstream.script = in_two_parts
    assert bench.read(plain_request("Hi"), number) == "42"
    text = bench.read(plain_request("Hi"), lambda answer: "".join(answer.deltas()))
    assert (bench.state, text) == ("HIT", "[[42]] it is")
