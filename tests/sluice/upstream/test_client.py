"""The upstream client against a real socket: what it asks, and what it makes of an answer."""

from __future__ import annotations

import gzip
import json
import threading
from typing import TYPE_CHECKING

import pytest

from sluice.deadline import MARGIN_S
from sluice.errors import (
    Cancelled,
    DeadlineReached,
    InvalidField,
    SettingsError,
    UpstreamBroken,
    UpstreamError,
    UpstreamInvalid,
    UpstreamRefused,
    UpstreamSilent,
    UpstreamUnreachable,
)
from sluice.stop_signal import StopSignal
from sluice.upstream.call import ModelCall
from tests.scripted_upstream import (
    EVENT_STREAM_HEAD,
    PATIENCE_S,
    GatedAnswer,
    ScriptedUpstream,
    UpstreamRequest,
    chunk,
    delta,
    dies_after,
    endless,
    hangs_up,
    refused_url,
    replies,
    says,
    silent_until,
)
from tests.sluice.clocks import deadline_in
from tests.sluice.upstream.asking import BODY, one_attempt

if TYPE_CHECKING:
    import socket


def test_request_is_the_body_and_the_key_and_nothing_of_the_machine(
    upstream: ScriptedUpstream,
) -> None:
    one_attempt(upstream.url).read()
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
        "authorization": "Bearer k1",
    }


def test_keys_are_used_in_turn(upstream: ScriptedUpstream) -> None:
    client = one_attempt(upstream.url, OPENAI_API_KEY="a,b")
    for _ in range(3):
        client.read()
    keys = [request.headers["authorization"] for request in upstream.requests]
    assert keys == ["Bearer a", "Bearer b", "Bearer a"]


def test_upstream_without_a_key_gets_none(upstream: ScriptedUpstream) -> None:
    one_attempt(upstream.url, OPENAI_API_KEY="").read()
    assert "authorization" not in upstream.requests[0].headers


def test_header_that_cannot_be_sent_is_the_clients_mistake(upstream: ScriptedUpstream) -> None:
    call = ModelCall("POST", "/x", "", {"x-a": "a\r\nb: c"}, b"", None)
    with pytest.raises(InvalidField):
        one_attempt(upstream.url).read(call)
    assert upstream.requests == []


def test_compressed_bytes_stay_as_they_are(upstream: ScriptedUpstream) -> None:
    body = gzip.compress(b'{"choices":[]}')
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    upstream.script = lambda _request, connection: connection.sendall(head + body)
    with one_attempt(upstream.url).ask() as answer:
        assert answer.headers == {"content-encoding": "gzip"}
        assert b"".join(answer.chunks()) == body


def test_first_delta_comes_before_the_second_is_sent(upstream: ScriptedUpstream) -> None:
    gated = GatedAnswer("one", "two")
    upstream.script = gated
    gated.open()
    with one_attempt(upstream.url).ask() as answer:
        chunks = answer.chunks()
        assert next(chunks) == delta("one")
        assert gated.sent == ["one"]
        gated.open(2)
        assert b"".join(chunks).startswith(delta("two"))


def test_answer_that_is_finished_leaves_its_connection_to_the_next(
    upstream: ScriptedUpstream,
) -> None:
    """Read to its last event, and not to the end of the body that follows."""
    ports = set()

    def script(request: UpstreamRequest, connection: socket.socket) -> None:
        ports.add(connection.getpeername())
        says("one")(request, connection)

    upstream.script = script
    client = one_attempt(upstream.url)
    for _ in range(3):
        with client.ask() as answer:
            assert next(answer.chunks()).startswith(b"data: ")
            answer.finish()
    assert len(ports) == 1


def test_leaving_the_answer_ends_the_request_upstream(upstream: ScriptedUpstream) -> None:
    upstream.script = endless()
    with one_attempt(upstream.url).ask() as answer:
        next(answer.chunks())
        answer.finish()  # which does not wait for what has no end
    assert upstream.gone.wait(PATIENCE_S)


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
    with one_attempt(upstream.url).ask() as answer:
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
        one_attempt(upstream.url).ask()
    assert caught.value.http_status == status
    assert json.loads(caught.value.reply_body) == {"error": error}
    assert caught.value.document() == error
    assert caught.value.reply_headers == {
        "content-type": "application/json",
        "retry-after": "3",
        "x-request-id": "r",
    }


def test_redirect_is_not_followed(upstream: ScriptedUpstream) -> None:
    for status in (301, 302, 307, 308):
        upstream.script = replies(status, {}, location=f"{upstream.url}/elsewhere")
        with pytest.raises(UpstreamError, match=rf"redirects \(status {status}\)"):
            one_attempt(upstream.url).ask()
    assert len(upstream.requests) == 4


def test_error_that_drips_is_reported_as_far_as_it_has_come(upstream: ScriptedUpstream) -> None:
    """With a pause in it, and with one byte after another."""
    head = b"HTTP/1.1 400 Bad\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b'{"error":"no"}')
    done = threading.Event()

    def drips(_request: UpstreamRequest, connection: socket.socket) -> None:
        connection.sendall(head)
        while not done.wait(0.01):
            connection.sendall(chunk(b" "))

    for script in (sends_and_waits(head, done), drips):
        upstream.script = script  # type: ignore[assignment] # a script
        with pytest.raises(UpstreamRefused) as caught:
            one_attempt(upstream.url).ask()
        assert caught.value.reply_body.startswith(b'{"error":"no"}')
        assert caught.value.document()["message"] == "no"
    done.set()


def test_request_id_is_logged_short_and_without_a_key(upstream: ScriptedUpstream) -> None:
    key = "sk-of-the-provider"
    asker = one_attempt(upstream.url, OPENAI_API_KEY=key)
    upstream.script = replies(200, {}, x_request_id=f"{key} {'x' * 500}")
    asker.read()
    (logged,) = asker.noted_as("upstream_request_id")
    assert logged == f"[key] {'x' * 122}"


def test_principals_and_keys_share_no_connection(upstream: ScriptedUpstream) -> None:
    ports: list[int] = []

    def script(request: UpstreamRequest, connection: socket.socket) -> None:
        ports.append(connection.getpeername()[1])
        replies(200, {})(request, connection)

    upstream.script = script
    asker = one_attempt(upstream.url, OPENAI_API_KEY="k1,k2")
    for principal in ("a", "a", "a", "a", "b", "b"):
        with asker.ask(principal=principal) as answer:
            list(answer.chunks())
    assert [ports.index(port) for port in ports] == [0, 1, 0, 1, 4, 5]


def test_connection_is_opened_ahead_unless_the_principal_has_kept_one_with_its_next_key(
    upstream: ScriptedUpstream,
) -> None:
    upstream.script = replies(200, {})
    asker = one_attempt(upstream.url, OPENAI_API_KEY="k1,k2")
    for principal, connections in (("a", 1), ("a", 2), ("a", 2), ("a", 2), ("b", 3)):
        asker.open_ahead(principal)
        with asker.ask(principal=principal) as answer:
            list(answer.chunks())
        assert upstream.connections == connections


def test_certificates_that_are_not_there_are_a_wrong_setting() -> None:
    for variable in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        with pytest.raises(SettingsError, match=rf"{variable} must be a PEM file .*'/no\.pem'"):
            one_attempt("https://model.invalid/v1", **{variable: "/no.pem"})


def test_outbound_proxy_is_used(upstream: ScriptedUpstream) -> None:
    proxy = upstream.url.removesuffix("/v1")
    one_attempt("http://model.invalid/v1", PROXY=proxy).read()
    assert upstream.requests[0].target == "http://model.invalid/v1/chat/completions"


# What each failure means. Where and when they come is the transports' own tests' matter.


def test_upstream_that_is_not_there_is_unreachable() -> None:
    with pytest.raises(UpstreamUnreachable, match="Check that OPENAI_BASE_URL is ru") as caught:
        one_attempt(refused_url()).ask()
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)


HALF = EVENT_STREAM_HEAD + chunk(delta("half"))


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (hangs_up, UpstreamUnreachable),
        (dies_after(b"220 smtp ready\r\n"), UpstreamInvalid),
        (dies_after(b"HTTP/1.1 200 OK\r\n"), UpstreamUnreachable),
        (dies_after(EVENT_STREAM_HEAD), UpstreamBroken),
        (dies_after(HALF), UpstreamBroken),
        (dies_after(HALF + b"nonsense\r\n"), UpstreamInvalid),
    ],
)
def test_reply_that_is_not_whole_is_an_upstream_error(
    upstream: ScriptedUpstream, script: object, error: type[UpstreamError]
) -> None:
    upstream.script = script  # type: ignore[assignment] # one of the above
    with pytest.raises(error):
        one_attempt(upstream.url).read()


def sends_and_waits(data: bytes, done: threading.Event) -> object:
    def script(request: UpstreamRequest, connection: socket.socket) -> None:
        connection.sendall(data)
        silent_until(done)(request, connection)

    return script


@pytest.mark.parametrize(
    ("sent", "variable"),
    [
        (b"", "UPSTREAM_FIRST_BYTE_TIMEOUT"),
        (EVENT_STREAM_HEAD, "UPSTREAM_FIRST_BYTE_TIMEOUT"),
        (HALF, "UPSTREAM_READ_TIMEOUT"),
    ],
    ids=["no head", "no body", "half a body"],
)
def test_silence_names_its_setting(upstream: ScriptedUpstream, sent: bytes, variable: str) -> None:
    done = threading.Event()
    upstream.script = sends_and_waits(sent, done)  # type: ignore[assignment] # a script
    with pytest.raises(UpstreamSilent, match=rf"for 0\.05 s .{variable}"):
        one_attempt(upstream.url, **{variable: "0.05"}).read()
    done.set()


@pytest.mark.parametrize(
    "sent",
    [b"", HALF, b"HTTP/1.1 500 Oh\r\nContent-Length: 99\r\n\r\n{"],
    ids=["no head", "half a body", "half an error"],
)
def test_deadline_and_stop_signal_end_an_answer(upstream: ScriptedUpstream, sent: bytes) -> None:
    done, stop_signal, reason = threading.Event(), StopSignal(), Cancelled("enough")
    upstream.script = sends_and_waits(sent, done)  # type: ignore[assignment] # a script
    client = one_attempt(upstream.url)
    with pytest.raises(DeadlineReached):
        client.read(deadline=deadline_in(int(MARGIN_S * 1000) + 50))
    stopping = threading.Timer(0.05, stop_signal.stop, [reason])
    stopping.start()
    with pytest.raises(Cancelled) as caught:
        client.read(stop_signal=stop_signal)
    assert caught.value is reason
    assert caught.value.__cause__ is None
    stopping.join()
    done.set()


def test_nothing_is_asked_when_the_time_is_over_or_the_client_gone(
    upstream: ScriptedUpstream,
) -> None:
    client, stop_signal = one_attempt(upstream.url), StopSignal()
    with pytest.raises(DeadlineReached):
        client.read(deadline=deadline_in(0))
    stop_signal.stop(Cancelled("enough"))
    with pytest.raises(Cancelled):
        client.read(stop_signal=stop_signal)
    assert upstream.requests == []


def test_error_that_does_not_come_whole_is_told_as_far_as_it_came(
    upstream: ScriptedUpstream, caplog: pytest.LogCaptureFixture
) -> None:
    """And nothing of it is logged."""
    whole = b'HTTP/1.1 500 Oh\r\nContent-Length: 7\r\n\r\n{"a":1}'
    for cut in range(len(whole)):
        upstream.script = dies_after(whole[:cut])
        with pytest.raises((UpstreamUnreachable, UpstreamRefused)) as caught:
            one_attempt(upstream.url).read()
        if isinstance(caught.value, UpstreamRefused):
            assert caught.value.reply_body == whole[:cut].split(b"\r\n\r\n")[1]
    assert caplog.records == []
