"""The upstream client against a real socket."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from typing import Any

import pytest

from sluice.aws.ssm_parameter import read_parameter
from sluice.deadline import MARGIN_S, Deadline
from sluice.errors import (
    Cancelled,
    ConnectionGone,
    DeadlineReached,
    UpstreamBroken,
    UpstreamError,
    UpstreamRefused,
    UpstreamSilent,
    UpstreamUnreachable,
)
from sluice.settings import read_settings
from sluice.stop_signal import StopSignal
from sluice.upstream.answer import UpstreamAnswer
from sluice.upstream.call import chat_call
from sluice.upstream.client import OpenAIClient
from sluice.upstream.targets import read_targets
from tests.scripted_upstream import (
    EVENT_STREAM_HEAD,
    LAST_CHUNK,
    PATIENCE_S,
    GatedAnswer,
    ScriptedUpstream,
    UpstreamRequest,
    answer_stream,
    chunk,
    delta,
    dies_after,
    endless,
    refused_url,
    replies,
    says,
    silent_until,
)
from tests.sluice.deadlines import FOREVER, deadline_in

BODY = b'{"model":"m","messages":[]}'


class Asker:
    """A client with one target, asked for chat completions. Pauses between attempts are none."""

    def __init__(self, url: str, **environ: str) -> None:
        variables = {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "sk-secret-1", **environ}
        settings = read_settings(variables)
        (self._target,) = read_targets(variables, settings)
        self.client = OpenAIClient(settings, [self._target], read_parameter, random=lambda: 0.0)
        self.noted: dict[str, Any] = {}

    def chat(
        self, body: bytes, deadline: Deadline, stop_signal: StopSignal | None = None
    ) -> UpstreamAnswer:
        note = self.noted.update
        return self.client.ask(self._target, chat_call(body), deadline, stop_signal, note)


def client_of(url: str, **environ: str) -> Asker:
    return Asker(url, **{"UPSTREAM_RETRIES": "0", **environ})


def read_all(client: Asker) -> bytes:
    with client.chat(BODY, FOREVER) as answer:
        return b"".join(answer.chunks())


def test_request_is_the_body_and_the_key_and_nothing_of_the_machine(
    upstream: ScriptedUpstream,
) -> None:
    read_all(client_of(upstream.url))
    (request,) = upstream.requests
    assert (request.method, request.target) == ("POST", "/v1/chat/completions")
    assert request.body == BODY
    assert request.headers == {
        "host": upstream.url.split("/")[2],
        "accept": "*/*",
        "accept-encoding": "identity",
        "user-agent": "sluice",
        "content-type": "application/json",
        "content-length": str(len(BODY)),
        "authorization": "Bearer sk-secret-1",
    }


def test_keys_are_used_in_turn(upstream: ScriptedUpstream) -> None:
    client = client_of(upstream.url, OPENAI_API_KEY="a,b")
    for _ in range(3):
        read_all(client)
    keys = [request.headers["authorization"] for request in upstream.requests]
    assert keys == ["Bearer a", "Bearer b", "Bearer a"]


def test_upstream_without_a_key_gets_none(upstream: ScriptedUpstream) -> None:
    read_all(client_of(upstream.url, OPENAI_API_KEY=""))
    assert "authorization" not in upstream.requests[0].headers


@pytest.mark.parametrize(
    ("head", "frame"),
    [
        (EVENT_STREAM_HEAD, lambda data: chunk(data) + LAST_CHUNK),
        (
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n",
            bytes,
        ),
        (b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", bytes),
    ],
    ids=["chunked", "content length", "until the connection ends"],
)
def test_bytes_are_those_of_the_upstream(
    upstream: ScriptedUpstream, head: bytes, frame: object
) -> None:
    events = answer_stream(["a", "é", "\r\n"]) + b": comment\r\n\r\n"

    def script(_request: UpstreamRequest, connection: socket.socket) -> None:
        filled = head % len(events) if b"%d" in head else head
        connection.sendall(filled + frame(events))  # type: ignore[operator] # one of the above
        connection.shutdown(socket.SHUT_WR) if b"HTTP/1.0" in head else None

    upstream.script = script
    assert read_all(client_of(upstream.url)) == events


def test_compressed_bytes_stay_as_they_are(upstream: ScriptedUpstream) -> None:
    body = gzip.compress(b'{"choices":[]}')
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    upstream.script = lambda _request, connection: connection.sendall(head + body)
    with client_of(upstream.url).chat(BODY, FOREVER) as answer:
        assert answer.headers == {"content-encoding": "gzip"}
        assert b"".join(answer.chunks()) == body


def test_first_delta_comes_before_the_second_is_sent(upstream: ScriptedUpstream) -> None:
    gated = GatedAnswer("one", "two")
    upstream.script = gated
    gated.open()
    with client_of(upstream.url).chat(BODY, FOREVER) as answer:
        chunks = answer.chunks()
        assert next(chunks) == delta("one")
        assert gated.sent == ["one"]
        gated.open(2)
        assert b"".join(chunks).startswith(delta("two"))


@pytest.mark.parametrize("with_length", [False, True])
def test_connection_is_kept_from_answer_to_answer(
    upstream: ScriptedUpstream, *, with_length: bool
) -> None:
    ports = set()
    answer = replies(200, {"choices": []}) if with_length else says("a")

    def script(request: UpstreamRequest, connection: socket.socket) -> None:
        ports.add(connection.getpeername())
        answer(request, connection)

    upstream.script = script
    client = client_of(upstream.url)
    for _ in range(3):
        read_all(client)
    assert len(ports) == 1


def test_leaving_the_answer_ends_the_request_upstream(upstream: ScriptedUpstream) -> None:
    upstream.script = endless()
    with client_of(upstream.url).chat(BODY, FOREVER) as answer:
        next(answer.chunks())
    assert upstream.gone.wait(20)


def test_headers_for_the_client_are_chosen(upstream: ScriptedUpstream) -> None:
    upstream.script = replies(
        200,
        {},
        x_request_id="r",
        x_ratelimit_remaining_tokens="7",
        openai_processing_ms="5",
        set_cookie="c=1",
        server="nginx",
        connection="keep-alive",
    )
    with client_of(upstream.url).chat(BODY, FOREVER) as answer:
        assert answer.headers == {
            "content-type": "application/json",
            "x-request-id": "r",
            "x-ratelimit-remaining-tokens": "7",
            "openai-processing-ms": "5",
        }


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
def test_refusal_is_the_upstreams_own(upstream: ScriptedUpstream, status: int) -> None:
    error = {"message": "no", "type": "t", "param": None, "code": "c"}
    upstream.script = replies(status, {"error": error}, retry_after="3", x_request_id="r")
    with pytest.raises(UpstreamRefused) as caught:
        client_of(upstream.url).chat(BODY, FOREVER)
    assert caught.value.http_status == status
    assert json.loads(caught.value.reply_body) == {"error": error}
    assert caught.value.document() == error
    assert caught.value.reply_headers == {
        "content-type": "application/json",
        "retry-after": "3",
        "x-request-id": "r",
    }


def test_redirect_is_not_followed(upstream: ScriptedUpstream) -> None:
    upstream.script = replies(307, {}, location=f"{upstream.url}/elsewhere")
    with pytest.raises(UpstreamError, match="OPENAI_BASE_URL"):
        client_of(upstream.url).chat(BODY, FOREVER)
    assert len(upstream.requests) == 1


def test_upstream_that_is_not_there() -> None:
    with pytest.raises(UpstreamUnreachable):
        client_of(refused_url()).chat(BODY, FOREVER)


def test_upstream_that_hangs_up_without_an_answer(upstream: ScriptedUpstream) -> None:
    upstream.script = lambda _request, connection: connection.shutdown(socket.SHUT_RDWR)
    with pytest.raises(UpstreamUnreachable):
        client_of(upstream.url).chat(BODY, FOREVER)


def test_upstream_that_does_not_speak_http(upstream: ScriptedUpstream) -> None:
    upstream.script = lambda _request, connection: connection.sendall(b"220 smtp ready\r\n")
    with pytest.raises(UpstreamUnreachable):
        client_of(upstream.url).chat(BODY, FOREVER)


def test_upstream_that_sends_no_head_is_silent(upstream: ScriptedUpstream) -> None:
    done = threading.Event()
    upstream.script = silent_until(done)
    with pytest.raises(UpstreamSilent, match=r"for 0\.05 s .UPSTREAM_FIRST_BYTE_TIMEOUT"):
        client_of(upstream.url, UPSTREAM_FIRST_BYTE_TIMEOUT="0.05").chat(BODY, FOREVER)
    done.set()


def test_upstream_that_sends_no_more_than_a_head_is_silent(upstream: ScriptedUpstream) -> None:
    gated = GatedAnswer("never")
    upstream.script = gated
    with pytest.raises(UpstreamSilent, match="UPSTREAM_FIRST_BYTE_TIMEOUT"):
        client_of(upstream.url, UPSTREAM_FIRST_BYTE_TIMEOUT="0.05").chat(BODY, FOREVER)
    gated.open(2)


def test_upstream_that_stops_in_the_middle_is_silent(upstream: ScriptedUpstream) -> None:
    gated = GatedAnswer("one", "never")
    upstream.script = gated
    gated.open()
    with client_of(upstream.url, UPSTREAM_READ_TIMEOUT="0.05").chat(BODY, FOREVER) as answer:
        chunks = answer.chunks()
        assert next(chunks) == delta("one")
        with pytest.raises(UpstreamSilent, match=r"for 0\.05 s .UPSTREAM_READ_TIMEOUT"):
            next(chunks)
        gated.open(2)


def test_upstream_that_dies_in_the_middle_is_broken(upstream: ScriptedUpstream) -> None:
    upstream.script = dies_after(EVENT_STREAM_HEAD + chunk(delta("half")))
    with client_of(upstream.url).chat(BODY, FOREVER) as answer:
        chunks = answer.chunks()
        assert next(chunks) == delta("half")
        with pytest.raises(UpstreamBroken):
            next(chunks)


def test_deadline_ends_an_answer_that_is_still_coming(upstream: ScriptedUpstream) -> None:
    gated = GatedAnswer("one", "never")
    upstream.script = gated
    gated.open()
    soon = deadline_in(int(MARGIN_S * 1000) + 200)
    with client_of(upstream.url).chat(BODY, soon) as answer:
        chunks = answer.chunks()
        assert next(chunks) == delta("one")
        with pytest.raises(DeadlineReached):
            next(chunks)
        gated.open(2)


def test_deadline_ends_the_wait_for_a_head(upstream: ScriptedUpstream) -> None:
    done = threading.Event()
    upstream.script = silent_until(done)
    with pytest.raises(DeadlineReached):
        client_of(upstream.url).chat(BODY, deadline_in(int(MARGIN_S * 1000) + 50))
    done.set()


def test_nothing_is_asked_when_the_time_is_over(upstream: ScriptedUpstream) -> None:
    with pytest.raises(DeadlineReached):
        client_of(upstream.url).chat(BODY, Deadline(lambda: int(MARGIN_S * 1000)))
    assert upstream.requests == []


def test_stop_from_another_thread_ends_a_waiting_read(upstream: ScriptedUpstream) -> None:
    gated, stop_signal = GatedAnswer("one", "never"), StopSignal()
    upstream.script = gated
    gated.open()
    with client_of(upstream.url).chat(BODY, FOREVER, stop_signal) as answer:
        chunks = answer.chunks()
        assert next(chunks) == delta("one")
        stopper = threading.Timer(0.05, stop_signal.stop, [ConnectionGone("gone")])
        stopper.start()
        with pytest.raises(ConnectionGone):
            next(chunks)
        stopper.join()
        gated.open(2)


def test_stop_ends_the_wait_for_a_reply_that_has_not_begun(upstream: ScriptedUpstream) -> None:
    asked, done, stop_signal = threading.Event(), threading.Event(), StopSignal()

    def silent(_request: UpstreamRequest, _connection: socket.socket) -> None:
        asked.set()
        done.wait(PATIENCE_S)

    def stop_once_asked() -> None:
        asked.wait(PATIENCE_S)
        stop_signal.stop(Cancelled("enough"))

    upstream.script = silent
    stopper = threading.Thread(target=stop_once_asked)
    stopper.start()
    with pytest.raises(Cancelled):
        client_of(upstream.url).chat(BODY, FOREVER, stop_signal)
    stopper.join()
    done.set()


def test_request_that_was_stopped_before_it_began_is_not_answered(
    upstream: ScriptedUpstream,
) -> None:
    stop_signal = StopSignal()
    stop_signal.stop(Cancelled("enough"))
    with pytest.raises(Cancelled):
        client_of(upstream.url).chat(BODY, FOREVER, stop_signal)


def test_outbound_proxy_is_used(upstream: ScriptedUpstream) -> None:
    proxy = upstream.url.removesuffix("/v1")
    read_all(client_of("http://model.invalid/v1", PROXY=proxy))
    assert upstream.requests[0].target == "http://model.invalid/v1/chat/completions"
