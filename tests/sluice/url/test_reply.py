"""What an upstream's failure becomes before and after the first byte of a reply."""

from __future__ import annotations

import json

import pytest

from sluice.deadline import MARGIN_S
from sluice.errors import UpstreamBroken
from tests.scripted_upstream import (
    EVENT_STREAM_HEAD,
    LAST_CHUNK,
    GatedAnswer,
    chunk,
    delta,
    dies_after,
    replies,
)
from tests.sluice.answering import SECRET
from tests.sluice.url.asking import HELLO, UrlBench

FORWARD_KEY = "fk-secret-0123456789"


@pytest.mark.parametrize("response_type", ["stream", "full", "int"])
@pytest.mark.parametrize("status", [401, 429, 500])
def test_upstreams_error_passes_through(bench: UrlBench, status: int, response_type: str) -> None:
    error = {"message": "m", "type": "t", "param": "p", "code": "c"}
    bench.upstream.script = replies(status, {"error": error}, retry_after="30", x_request_id="u-1")
    reply = bench.ask("POST", "/", {"messages": HELLO, "response_type": response_type})
    assert (reply.status, reply.error) == (status, error)
    assert reply.headers["retry-after"] == "30"
    assert reply.headers["x-request-id"] == "u-1"


def test_key_that_an_upstreams_error_quotes_is_masked(bench: UrlBench) -> None:
    quoted = f"Incorrect API key provided: {SECRET} (sk-secre************6789)"
    bench.upstream.script = replies(401, {"error": {"message": quoted}})
    reply = bench.hello()
    assert b"[key] ([key])" in reply.body
    for shown in (reply.body.decode(), json.dumps(bench.logged())):
        assert SECRET not in shown
        assert "6789" not in shown


@pytest.mark.parametrize("status", [200, 204, 401])
def test_key_in_a_header_of_the_upstream_is_masked(bench: UrlBench, status: int) -> None:
    lock = {"FUNCTION_URL_AUTH": "none", "FORWARD_KEY": FORWARD_KEY}
    headers = {"x_debug_authorization": f"Bearer {SECRET}", "x_request_id": SECRET}
    headers |= {"x_client": f"1,{FORWARD_KEY};{SECRET}", "x_other": "kept"}
    bench.upstream.script = replies(status, {"id": "1"}, **headers)
    presented = {"authorization": f"Bearer {FORWARD_KEY}"}
    reply = bench.ask(path="/v1/models", headers=presented, settings=lock)
    assert reply.headers["x-debug-authorization"] == "Bearer [key]"
    assert reply.headers["x-request-id"] == "[key]"
    assert reply.headers["x-client"] == "1,[key];[key]"
    assert reply.headers["x-other"] == "kept"


def test_upstreams_error_without_a_body_becomes_json(bench: UrlBench) -> None:
    bench.upstream.script = dies_after(
        b"HTTP/1.1 503 Busy\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n"
    )
    reply = bench.hello()
    assert reply.refusal == (503, "upstream_refused")
    assert reply.headers["content-type"] == "application/json"


def test_silent_upstream_is_504(bench: UrlBench) -> None:
    bench.upstream.script = gated = GatedAnswer("never")
    reply = bench.hello(UPSTREAM_FIRST_BYTE_TIMEOUT="0.05")
    assert reply.refusal == (504, "upstream_timeout")
    gated.open(2)


@pytest.mark.parametrize(
    "head",
    [
        EVENT_STREAM_HEAD + LAST_CHUNK,
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
    ],
    ids=["no event", "no body", "204"],
)
def test_empty_answer_is_an_error_and_never_an_empty_stream(bench: UrlBench, head: bytes) -> None:
    bench.upstream.script = lambda _request, connection: connection.sendall(head)
    full = {"messages": HELLO, "response_type": "full"}
    native = {"model": "m", "messages": HELLO}
    for reply in (
        bench.hello(),
        bench.ask("POST", "/", full),
        bench.ask("POST", "/", native),
        bench.ask("POST", "/v1/chat/completions", native),
        bench.ask("POST", "/v1/responses", {"model": "m", "input": "Hello"}),
    ):
        assert reply.refusal == (502, "upstream_incomplete")


@pytest.mark.parametrize(
    "half",
    [
        b"",
        b"d",
        b": comment",
        b"\xc3",
        b'data: {"id": "c", "o',
        b'data: {"choices":[]}',
        b'data: {"choices":[]}\n',
    ],
)
def test_upstream_that_dies_within_its_stream_ends_it_with_an_error_event(
    bench: UrlBench, half: bytes
) -> None:
    bench.upstream.script = dies_after(EVENT_STREAM_HEAD + chunk(delta("one") + half))
    first, *others, last, end = bench.hello().body.split(b"\n\n")
    assert (first + b"\n\n", end) == (delta("one"), b"")
    # Half a line would mislead the client.
    passed = [other.strip() for other in others if other.strip()]
    assert passed == ([half.strip()] if half.endswith(b"\n") else [])
    error = json.loads(last.strip().removeprefix(b"data: "))["error"]
    assert error["code"] == "upstream_incomplete"


def test_error_event_follows_a_blank_line_however_that_was_cut(bench: UrlBench) -> None:
    event = b'data: {"choices":[]}\r\n\r\n'
    for cut in range(1, 5):
        pieces = chunk(event[:-cut]) + chunk(event[-cut:])
        bench.upstream.script = dies_after(EVENT_STREAM_HEAD + pieces)
        assert bench.hello().body.startswith(event + b'data: {"error"')


def test_json_answer_that_breaks_off_is_aborted(bench: UrlBench) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
    bench.upstream.script = dies_after(head)
    with pytest.raises(UpstreamBroken):
        bench.chat()


def test_stream_ends_with_an_error_event_before_the_function_is_killed(bench: UrlBench) -> None:
    bench.upstream.script = gated = GatedAnswer("one", "never")
    gated.open()
    reply = bench.hello(remaining_ms=int(MARGIN_S * 1000) + 200)
    last = reply.body.removeprefix(delta("one"))
    assert json.loads(last.removeprefix(b"data: "))["error"]["code"] == "deadline_exceeded"
    gated.open(2)


def test_key_is_masked_across_the_chunks_of_an_answer(bench: UrlBench) -> None:
    head = EVENT_STREAM_HEAD.replace(b"text/event-stream", b"application/json")
    body = b'{"leak": "%b"}' % SECRET.encode()
    sent = head + chunk(body[:15]) + chunk(body[15:]) + LAST_CHUNK
    bench.upstream.script = lambda _request, connection: connection.sendall(sent)
    assert bench.chat().body == b'{"leak": "[key]"}'
