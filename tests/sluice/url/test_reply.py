"""What an upstream's failure means before and after the first byte of a reply."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from sluice.deadline import MARGIN_S
from sluice.errors import UpstreamBroken
from tests.scripted_upstream import (
    EVENT_STREAM_HEAD,
    LAST_CHUNK,
    GatedAnswer,
    ScriptedUpstream,
    answer_stream,
    chunk,
    delta,
    dies_after,
    refused_url,
    replies,
    says,
)
from tests.sluice.url.asking import HELLO, SECRET, ask

if TYPE_CHECKING:
    pass


@pytest.mark.parametrize("response_type", ["stream", "full", "int"])
@pytest.mark.parametrize("status", [401, 429, 500])
def test_upstreams_error_passes_through(
    upstream: ScriptedUpstream, status: int, response_type: str
) -> None:
    error = {"message": "m", "type": "t", "param": "p", "code": "c"}
    upstream.script = replies(status, {"error": error}, retry_after="30", x_request_id="u-1")
    reply = ask(upstream.url, "POST", "/", {"messages": HELLO, "response_type": response_type})
    assert (reply.metadata["statusCode"], reply.error) == (status, error)
    assert reply.metadata["headers"]["retry-after"] == "30"
    assert reply.metadata["headers"]["x-request-id"] == "u-1"


def test_upstreams_error_that_quotes_the_key_is_masked(
    upstream: ScriptedUpstream, capsys: pytest.CaptureFixture[str]
) -> None:
    quoted = f"Incorrect API key provided: {SECRET} (sk-secre************6789)"
    upstream.script = replies(401, {"error": {"message": quoted}})
    reply = ask(upstream.url, query={"message": "Hello"})
    assert b"[key] ([key])" in reply.body
    for shown in (reply.body.decode(), capsys.readouterr().out):
        assert SECRET not in shown
        assert "6789" not in shown


def test_upstream_error_without_a_body_gets_one(upstream: ScriptedUpstream) -> None:
    upstream.script = lambda _request, connection: connection.sendall(
        b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
    )
    reply = ask(upstream.url, query={"message": "Hello"})
    assert reply.metadata["statusCode"] == 503
    assert reply.error["code"] == "upstream_refused"


def test_upstream_that_is_not_there_is_502() -> None:
    reply = ask(refused_url(), query={"message": "Hello"})
    assert (reply.metadata["statusCode"], reply.error["code"]) == (502, "upstream_unreachable")


def test_silent_upstream_is_504(upstream: ScriptedUpstream) -> None:
    gated = GatedAnswer("never")
    upstream.script = gated
    reply = ask(upstream.url, query={"message": "Hello"}, UPSTREAM_FIRST_BYTE_TIMEOUT="0.05")
    assert (reply.metadata["statusCode"], reply.error["code"]) == (504, "upstream_timeout")
    gated.open(2)


@pytest.mark.parametrize(
    "head", [EVENT_STREAM_HEAD + LAST_CHUNK, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"]
)
def test_empty_answer_is_an_error_and_never_an_empty_stream(
    upstream: ScriptedUpstream, head: bytes
) -> None:
    upstream.script = lambda _request, connection: connection.sendall(head)
    reply = ask(upstream.url, query={"message": "Hello"})
    assert (reply.metadata["statusCode"], reply.error["code"]) == (502, "upstream_incomplete")


@pytest.mark.parametrize("half", [b"", b'data: {"id": "c", "o', b'data: {"choices":[]}\n'])
def test_upstream_that_dies_in_the_middle_ends_the_stream_with_an_error_event(
    upstream: ScriptedUpstream, half: bytes
) -> None:
    upstream.script = dies_after(EVENT_STREAM_HEAD + chunk(delta("one") + half))
    reply = ask(upstream.url, query={"message": "Hello"})
    first, *others, last, end = reply.body.split(b"\n\n")
    assert (first + b"\n\n", end) == (delta("one"), b"")
    said = [other.strip() for other in others if other.strip()]
    assert said == ([half.strip()] if half.endswith(b"\n") else [])  # half a line says nothing
    assert (
        json.loads(last.strip().removeprefix(b"data: "))["error"]["code"] == "upstream_incomplete"
    )


@pytest.mark.parametrize("cut", range(1, 5))
def test_error_event_follows_a_blank_line_however_that_was_cut(
    upstream: ScriptedUpstream, cut: int
) -> None:
    event = b'data: {"choices":[]}\r\n\r\n'
    pieces = chunk(event[:-cut]) + chunk(event[-cut:])
    upstream.script = dies_after(EVENT_STREAM_HEAD + pieces)
    reply = ask(upstream.url, query={"message": "Hello"})
    assert reply.body.startswith(event + b'data: {"error"')


def test_gateways_key_in_a_stream_is_masked(upstream: ScriptedUpstream) -> None:
    events = answer_stream(["a"]).replace(b'"usage"', f'"leak": "{SECRET}", "usage"'.encode())
    middle = events.index(SECRET.encode()) + 5
    upstream.script = lambda _request, connection: connection.sendall(
        EVENT_STREAM_HEAD + chunk(events[:middle]) + chunk(events[middle:]) + LAST_CHUNK
    )
    reply = ask(upstream.url, query={"message": "Hello"})
    assert reply.body == events.replace(SECRET.encode(), b"[key]")


def test_key_in_a_json_answer_is_masked_across_chunks(upstream: ScriptedUpstream) -> None:
    body = b'{"leak": "%b"}' % SECRET.encode()
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    sent = head + chunk(body[:15]) + chunk(body[15:]) + LAST_CHUNK
    upstream.script = lambda _request, connection: connection.sendall(sent)
    reply = ask(upstream.url, "POST", "/", {"model": "m", "messages": []})
    assert reply.body == b'{"leak": "[key]"}'


def test_error_of_an_upstream_without_a_body_is_json(upstream: ScriptedUpstream) -> None:
    upstream.script = lambda _request, connection: connection.sendall(
        b"HTTP/1.1 503 Busy\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n"
    )
    reply = ask(upstream.url, query={"message": "Hello"})
    assert reply.metadata["headers"]["content-type"] == "application/json"
    assert reply.error["code"] == "upstream_refused"


def test_json_answer_that_dies_in_the_middle_is_broken_off(upstream: ScriptedUpstream) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"

    upstream.script = dies_after(head)
    with pytest.raises(UpstreamBroken):
        ask(upstream.url, "POST", "/", {"model": "m", "messages": []})


def test_stream_ends_with_an_error_event_before_the_function_is_killed(
    upstream: ScriptedUpstream,
) -> None:
    gated = GatedAnswer("one", "never")
    upstream.script = gated
    gated.open()
    soon = int(MARGIN_S * 1000) + 200
    reply = ask(upstream.url, query={"message": "Hello"}, remaining_ms=soon)
    last = reply.body.removeprefix(delta("one"))
    assert json.loads(last.removeprefix(b"data: "))["error"]["code"] == "deadline_exceeded"
    gated.open(2)


def test_no_match_is_an_error(upstream: ScriptedUpstream) -> None:
    upstream.script = says("I would rather not.")
    reply = ask(upstream.url, "POST", "/", {"messages": HELLO, "response_type": "int"})
    assert reply.error["code"] == "no_match"
    assert "I would rather not." in reply.error["message"]
