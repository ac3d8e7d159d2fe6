"""Answers that serve equal requests again: which are kept, for whose requests, in which form."""

from __future__ import annotations

import gzip
import json
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from sluice.completions.request import ResponseType, plain_request
from sluice.deadline import Deadline
from sluice.errors import SluiceError, UpstreamBroken
from tests.end_to_end.recorded_upstream import recorded
from tests.scripted_upstream import (
    EVENT_STREAM_HEAD,
    PATIENCE_S,
    ScriptedUpstream,
    answer_stream,
    chunk,
    delta,
    dies_after,
    one_after_another,
    replies,
    says,
    scripted_upstream,
    sends,
    sse,
)
from tests.sluice.answering import SECRET
from tests.sluice.aws.aws_environment import environ_of
from tests.sluice.completions.cache_bench import ANN, ASKED, BOB, COUNTED, STREAMED, CacheBench

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

    from sluice.authentication import Principal
    from sluice.completions.answer import ModelAnswer
    from tests.scripted_upstream import Script, UpstreamRequest

EVENTS, JSON = "text/event-stream", "application/json"
USAGE = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
STOP = sse({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
WHOLE = {"choices": [{"message": {"content": "Yes"}, "finish_reason": "stop"}], "usage": USAGE}


@pytest.fixture
def bench(upstream: ScriptedUpstream) -> CacheBench:
    return CacheBench(upstream)


def streams(body: bytes) -> Script:
    return sends(body, f"{EVENTS}; charset=utf-8")


def test_equal_request_gets_the_kept_answer(bench: CacheBench) -> None:
    first = bench.ask(STREAMED)
    assert (bench.state, bench.asked) == ("MISS", 1)
    assert "age" not in bench.headers
    assert bench.ask({**STREAMED, "user": "u", "metadata": {"a": "b"}}) == first
    assert (bench.state, bench.asked) == ("HIT", 1)
    assert bench.headers == {"content-type": EVENTS, "x-sluice-cache": "HIT", "age": "0"}


@pytest.mark.parametrize(
    "body",
    [
        recorded("chat_stream.sse"),
        recorded("chat_tools_stream.sse"),
        answer_stream(["a", "é"]),
        answer_stream(["a"]).replace(b"\n", b"\r\n"),
        b": hello\n\n" + answer_stream(["a"]).replace(b"\n\n", b"\n\n: ping\n\ndata:\n\n"),
        delta("a") + STOP,  # without an end mark
    ],
    ids=["recorded", "tools", "text", "CR LF", "heartbeats", "no end mark"],
)
def test_stream_is_replayed_as_the_same_bytes(bench: CacheBench, body: bytes) -> None:
    bench.upstream.script = streams(body)
    for document in (STREAMED, COUNTED):
        first = bench.ask({**document, "seed": len(document)})
        assert bench.state == "MISS"
        assert bench.ask({**document, "seed": len(document)}) == first
        assert bench.state == "HIT"


def test_client_gets_token_counts_if_it_asks_for_them_whoever_came_first(bench: CacheBench) -> None:
    bench.upstream.script = streams(answer_stream(["a"]))
    for seed, order in enumerate(((STREAMED, COUNTED), (COUNTED, STREAMED))):
        got = {len(each): bench.ask({**each, "seed": seed}) for each in order}
        assert bench.state == "HIT"
        assert got[len(COUNTED)] == answer_stream(["a"])
        assert got[len(STREAMED)] == answer_stream(["a"]).replace(
            sse({"choices": [], "usage": {"total_tokens": 3}}), b""
        )


def test_stream_serves_a_request_without_stream_and_the_other_way_round(bench: CacheBench) -> None:
    bench.upstream.script = streams(answer_stream(["Hel", "lo"]))
    bench.ask(STREAMED)
    document = json.loads(bench.ask(ASKED))
    assert document["choices"][0]["message"]["content"] == "Hello"
    assert document["usage"] == {"total_tokens": 3}
    assert bench.headers["content-type"] == JSON
    bench.upstream.script = replies(200, WHOLE)
    bench.ask({**ASKED, "seed": 1})
    events = bench.ask({**COUNTED, "seed": 1})
    assert events.endswith(b"data: [DONE]\n\n")
    assert b'"Yes"' in events
    assert bench.headers["content-type"] == EVENTS
    assert (bench.state, bench.asked) == ("HIT", 2)


def test_completions_and_embeddings_are_kept(bench: CacheBench) -> None:
    completion = {"choices": [{"index": 0, "text": "Yes", "finish_reason": "stop"}]}
    embedding = {"object": "list", "data": [{"index": 0, "embedding": [0.1]}], "usage": USAGE}
    for path, answer in (("/completions", completion), ("/embeddings", embedding)):
        bench.upstream.script = replies(200, answer)
        assert [json.loads(bench.ask(ASKED, path=path)) for _ in "ab"] == [answer, answer]
        assert bench.state == "HIT"


def test_other_requests_pass_the_cache_by(bench: CacheBench) -> None:
    bench.upstream.script = replies(200, {"data": []})
    for path in ("/models", "/responses", "/images/generations"):
        bench.ask(ASKED, path=path)
        bench.ask(ASKED, path=path)
        assert "x-sluice-cache" not in bench.headers
        assert "cache" not in bench.line
    assert bench.asked == 6


def test_compressed_answer_is_kept_in_plain(bench: CacheBench) -> None:
    body = gzip.compress(json.dumps(WHOLE).encode())
    kind = f"{JSON}; charset=utf-8"
    bench.upstream.script = sends(body, kind, content_encoding="gzip")
    assert bench.ask(ASKED) == bench.ask(ASKED) == json.dumps(WHOLE).encode()
    assert bench.headers["content-type"] == kind
    assert (bench.state, bench.asked) == ("HIT", 1)


@pytest.mark.parametrize(
    ("other", "principal"),
    [
        ({}, BOB),
        ({"model": "n"}, ANN),
        ({"temperature": 0.2}, ANN),
        ({"messages": [{"role": "user", "content": "hi"}]}, ANN),
    ],
    ids=["principal", "model", "temperature", "messages"],
)
def test_another_request_never_hits(
    bench: CacheBench, other: dict[str, Any], principal: Principal
) -> None:
    bench.ask(ASKED | {"temperature": 0.1})
    bench.ask({**ASKED, "temperature": 0.1, **other}, principal)
    assert (bench.state, bench.asked) == ("MISS", 2)


def test_another_base_url_never_hits(
    upstream: ScriptedUpstream, tmp_path: Path, bench: CacheBench
) -> None:
    state = {"CACHE_BACKEND": "SQLITE", "STATE_FILE": str(tmp_path / "state.sqlite")}
    for base_url in (upstream.url, upstream.url + "/other"):
        bench.answers = bench.through(**state, OPENAI_BASE_URL=base_url)
        bench.ask(STREAMED)
        assert bench.state == "MISS"
        bench.ask(STREAMED)
        assert bench.state == "HIT"


def test_client_without_a_name_shares_nothing(bench: CacheBench) -> None:
    bench.ask(STREAMED, principal=None)
    assert bench.state == "BYPASS"


def test_scope_all_shares_answers(bench: CacheBench) -> None:
    bench.answers = bench.through(CACHE_SCOPE="all")
    bench.ask(STREAMED)
    for principal in (BOB, None):
        bench.ask(STREAMED, principal)
        assert bench.state == "HIT"


@pytest.mark.parametrize(
    "script",
    [
        streams(delta("a")),
        streams(delta("a") + sse("[DONE]")),
        streams(delta("a") + sse({"error": {"message": "overloaded"}}) + sse("[DONE]")),
        streams(delta("a") + b"data: {no json}\n\n" + STOP + sse("[DONE]")),
        dies_after(EVENT_STREAM_HEAD + chunk(delta("a") + STOP)),
        replies(200, {"choices": [{"message": {"content": "a"}, "finish_reason": None}]}),
        replies(200, {"error": {"message": "overloaded"}}),
        replies(429, {"error": {"message": "slow down"}}),
        sends(b"<html>", "text/html"),
        sends(json.dumps(WHOLE).encode(), JSON, 203),
    ],
    ids=[
        "no finish reason", "an end mark alone", "an error within", "unreadable", "cut off",
        "whole, unfinished", "an error as an answer", "refused", "a page", "another status",
    ],
)  # fmt: skip
def test_answer_that_did_not_end_well_is_not_kept(bench: CacheBench, script: Script) -> None:
    bench.upstream.script = script
    for number in (1, 2):
        try:
            bench.ask(STREAMED)
        except SluiceError as error:
            state = error.own_headers["x-sluice-cache"]
        else:
            state = bench.state
        assert state == "MISS"
        assert bench.asked == number


def test_answer_of_a_fallback_model_is_not_kept(bench: CacheBench) -> None:
    bench.answers = bench.through(FALLBACK_MODELS="m=n")
    bench.upstream.script = one_after_another(replies(500, {}), says("by n"), says("by m"))
    assert b"by n" in bench.ask(STREAMED)
    assert b"by m" in bench.ask(STREAMED)
    assert bench.state == "MISS"


def test_client_that_leaves_keeps_nothing(bench: CacheBench) -> None:
    request = plain_request("Hi")
    bench.upstream.script = says("a", "b", "c")

    def leave(answer: ModelAnswer) -> bytes:
        next(answer.chunks())
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        bench.read(request, leave)
    bench.read(request)
    assert bench.state == "MISS"


def test_answer_is_not_kept_while_the_function_has_no_time_for_it(bench: CacheBench) -> None:
    for _ in "ab":
        bench.read(plain_request("Hi"), deadline=Deadline(lambda: 4000))
        assert bench.state == "MISS"


@pytest.mark.parametrize(
    ("document", "headers"),
    [
        ({"store": True}, {}),
        ({"previous_response_id": "r"}, {}),
        ({"caching": False}, {}),
        ({}, {"cache-control": "no-cache, no-store"}),
        ({}, {"cache-control": "no-store"}),
        ({}, {"x-sluice-cache-ttl": "0"}),
    ],
    ids=["store", "previous", "caching", "no-cache and no-store", "no-store", "no time"],
)
def test_request_that_must_not_be_kept(
    bench: CacheBench, document: dict[str, Any], headers: dict[str, str]
) -> None:
    for number in (1, 2):
        bench.ask({**STREAMED, **document}, headers=headers)
        assert (bench.state, bench.asked) == ("BYPASS", number)


def test_kept_answer_may_serve_a_request_that_is_not_kept_itself(bench: CacheBench) -> None:
    bench.ask(STREAMED)
    bench.ask(STREAMED, headers={"cache-control": "no-store"})
    assert bench.state == "HIT"


def test_no_cache_asks_anew_and_keeps_the_new_answer(bench: CacheBench) -> None:
    bench.upstream.script = one_after_another(says("old"), says("new"))
    assert b"old" in bench.ask(STREAMED)
    assert b"new" in bench.ask(STREAMED, headers={"cache-control": "no-cache"})
    assert bench.state == "MISS"
    assert b"new" in bench.ask(STREAMED)
    assert bench.state == "HIT"


def text_of(response_type: str) -> Callable[[ModelAnswer], str]:
    return lambda answer: answer.text(ResponseType(response_type))


@pytest.mark.parametrize("response_type", ["int", "string", "full"])
def test_template_requests_share_an_answer(bench: CacheBench, response_type: str) -> None:
    request = plain_request("Hi")._replace(response_type=ResponseType(response_type))
    bench.upstream.script = says("[[4", "2]]", " it is")
    first = bench.read(request, text_of(response_type))
    assert bench.read(request, text_of(response_type)) == first
    assert bench.read(request, lambda answer: "".join(answer.deltas())) == "[[42]] it is"
    events = bench.read(request, lambda answer: "".join(each.text for each in answer.events()))
    assert events == "[[42]] it is"
    assert (bench.state, bench.asked) == ("HIT", 1)


def test_keys_are_masked_before_an_answer_is_kept(bench: CacheBench, tmp_path: Path) -> None:
    file = tmp_path / "state.sqlite"
    bench.answers = bench.through(CACHE_BACKEND="SQLITE", STATE_FILE=str(file))
    bench.upstream.script = says(SECRET)
    first = bench.ask(STREAMED)
    assert b"[key]" in first
    bench.answers = bench.through(
        CACHE_BACKEND="SQLITE", STATE_FILE=str(file), OPENAI_API_KEY="x" * 16
    )
    assert bench.ask(STREAMED) == first
    assert bench.state == "HIT"


def test_store_that_fails_is_a_cache_without_answers(bench: CacheBench, tmp_path: Path) -> None:
    nowhere = tmp_path / "file"
    nowhere.write_text("no folder")
    bench.answers = bench.through(CACHE_BACKEND="SQLITE", STATE_FILE=str(nowhere / "state.sqlite"))
    for number in (1, 2):
        bench.ask(STREAMED)
        assert (bench.state, bench.asked) == ("MISS", number)
        assert "cache_failure" in bench.line


def test_miss_reads_and_writes_the_table_once_and_a_hit_reads_it_once(bench: CacheBench) -> None:
    items: dict[str, Any] = {}

    def table(request: UpstreamRequest, connection: socket.socket) -> None:
        if request.headers["x-amz-target"].endswith("PutItem"):
            items["Item"] = request.document["Item"]
            replies(200, {})(request, connection)
        else:
            replies(200, items)(request, connection)

    with scripted_upstream() as dynamodb:
        dynamodb.script = table
        aws = environ_of(dynamodb.url)
        bench.answers = bench.through(CACHE_BACKEND="DYNAMODB", CACHE_TABLE="cache", **aws)
        for state, calls in (("MISS", ["GetItem", "PutItem"]), ("HIT", ["GetItem"])):
            bench.ask(STREAMED)
            assert bench.state == state
            targets = [each.headers["x-amz-target"] for each in dynamodb.requests]
            assert [target.partition(".")[2] for target in targets] == calls
            dynamodb.requests.clear()


def test_what_a_kept_answer_saved_is_logged_and_nothing_is_charged(bench: CacheBench) -> None:
    prices = {"m": {"input": 1, "output": 2}}
    bench.answers = bench.through(MODEL_PRICES=json.dumps(prices))
    bench.upstream.script = streams(delta("a") + STOP + sse({"choices": [], "usage": USAGE}))
    bench.ask(STREAMED)
    assert bench.line["usage"] == USAGE
    bench.ask(STREAMED)
    assert (bench.line["saved_tokens"], bench.line["saved_micro_usd"]) == (12, 5 + 2 * 7)
    assert (bench.line["model"], bench.line["cache_age_s"]) == ("m", 0)
    assert not bench.line.keys() & {"usage", "micro_usd", "provider"}


@pytest.mark.parametrize(
    ("first", "outcomes"),
    [
        (says("a"), {"MISS": 1, "HIT": 3}),
        (dies_after(EVENT_STREAM_HEAD + chunk(delta("a"))), {"broken": 1}),
    ],
    ids=["whole", "cut off"],
)
def test_equal_requests_at_once_wait_for_one_whole_answer(
    bench: CacheBench, first: Script, outcomes: dict[str, int]
) -> None:
    has_come, may_answer, found = threading.Event(), threading.Event(), Counter[str]()

    def answers_late(request: UpstreamRequest, connection: socket.socket) -> None:
        has_come.set()
        assert may_answer.wait(PATIENCE_S)
        first(request, connection)

    def ask() -> None:
        own = CacheBench(bench.upstream)
        own.answers = bench.answers
        try:
            whole = own.ask(STREAMED)
        except UpstreamBroken:
            found["broken"] += 1
        else:
            assert whole.endswith(sse("[DONE]"))
            found[own.state] += 1

    bench.upstream.script = one_after_another(answers_late, says("b"))
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert has_come.wait(PATIENCE_S)
    may_answer.set()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert found.total() == len(threads)
    assert outcomes.items() <= found.items()
    assert bench.asked == len(threads) - found["HIT"]
