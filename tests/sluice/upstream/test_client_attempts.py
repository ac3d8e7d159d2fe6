"""Asked again before the first byte of an answer, and never after it."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from sluice.deadline import MARGIN_S
from sluice.errors import (
    Cancelled,
    DeadlineReached,
    SluiceError,
    UpstreamBroken,
    UpstreamInvalid,
    UpstreamRefused,
    UpstreamSilent,
    UpstreamUnreachable,
    UpstreamUntrusted,
)
from sluice.stop_signal import StopSignal
from sluice.upstream.call import ModelCall
from tests.scripted_upstream import (
    EVENT_STREAM_HEAD,
    PATIENCE_S,
    ScriptedUpstream,
    UpstreamRequest,
    answer_stream,
    chunk,
    delta,
    dies_after,
    hangs_up,
    one_after_another,
    refused_url,
    replies,
    says,
    scripted_upstream,
    silent_until,
)
from tests.sluice.clocks import deadline_in
from tests.sluice.http.http1_replies import SAYS
from tests.sluice.upstream.asking import BODY, Asker

if TYPE_CHECKING:
    from tests.sluice.certificate_authority import CertificateAuthority

ERROR = {"error": {"message": "m", "type": "t", "param": None, "code": "c"}}


def keys_asked(upstream: ScriptedUpstream) -> str:
    """The numbers of the keys k1, k2, …"""
    keys = [asked.headers["authorization"] for asked in upstream.requests]
    return "".join(key.removeprefix("Bearer k") for key in keys)


def models_asked(upstream: ScriptedUpstream) -> str:
    return "".join(asked.document["model"] for asked in upstream.requests)


FAILURES_THAT_PASS = [
    *(replies(status, ERROR) for status in (408, 409, 429, 500, 502, 503, 529)),
    replies(400, ERROR, x_should_retry="true"),
    hangs_up,
    dies_after(b"HTTP/1.1 200 OK\r\nContent-Type: te"),
    dies_after(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chu"),
    dies_after(b"HTTP/1.1 200 OK\r\nContent-Length: 1"),
    dies_after(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"),
    dies_after(EVENT_STREAM_HEAD),
]


@pytest.mark.parametrize("fails", FAILURES_THAT_PASS)
def test_failure_before_the_first_byte_is_asked_again(
    upstream: ScriptedUpstream, fails: Any
) -> None:
    upstream.script = one_after_another(fails, fails, says("fine"))
    asker = Asker(upstream.url)
    assert asker.read() == answer_stream(["fine"])
    assert [asked.body for asked in upstream.requests] == [BODY] * 3
    assert asker.noted_as("retries") == [0, 1, 2]


@pytest.mark.parametrize("reply", SAYS, ids=range(len(SAYS)))
def test_reply_that_is_not_http_1_is_not_asked_for_again(
    upstream: ScriptedUpstream, reply: bytes
) -> None:
    """The model may have answered, and the next reply will be no better."""
    upstream.script = dies_after(reply)
    with pytest.raises(UpstreamInvalid, match=SAYS[reply]):
        Asker(upstream.url, FALLBACK_MODELS="a=b").read()
    assert len(upstream.requests) == 1


def test_certificate_that_is_not_trusted_is_asked_for_once(
    authority: CertificateAuthority,
) -> None:
    """Before any request is sent; once its authority is named, all is well."""
    with scripted_upstream(authority.serving("127.0.0.1")) as upstream:
        url = upstream.url.replace("http:", "https:")
        for transport in ("builtin", "requests"):
            asker = Asker(url, UPSTREAM_TRANSPORT=transport, FALLBACK_MODELS="a=b")
            with pytest.raises(UpstreamUntrusted) as caught:
                asker.read()
            assert asker.noted_as("retries") == [0]
            assert caught.value.message == (
                "The upstream's certificate cannot be verified: unable to get local issuer"
                " certificate. Check that OPENAI_BASE_URL is right, or name the certificate's"
                " authority in REQUESTS_CA_BUNDLE or SSL_CERT_FILE."
            )
            for variable in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
                named = {variable: str(authority.file), "UPSTREAM_TRANSPORT": transport}
                assert Asker(url, **named).read() == answer_stream(["Hel", "lo"])


def test_connection_that_is_refused_is_tried_as_often() -> None:
    asker = Asker(refused_url(), UPSTREAM_RETRIES="3")
    with pytest.raises(UpstreamUnreachable):
        asker.read()
    assert asker.noted_as("retries") == [0, 1, 2, 3]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_refusal_that_lasts_is_told_at_once(upstream: ScriptedUpstream, status: int) -> None:
    upstream.script = replies(status, ERROR)
    with pytest.raises(UpstreamRefused):
        Asker(upstream.url, FALLBACK_MODELS="a=b").read()
    assert len(upstream.requests) == 1


def test_last_failure_of_all_is_the_one_that_is_told(upstream: ScriptedUpstream) -> None:
    upstream.script = one_after_another(hangs_up, replies(500, {}), replies(503, ERROR))
    with pytest.raises(UpstreamRefused) as caught:
        Asker(upstream.url).read()
    assert caught.value.reply_status == 503


@pytest.mark.parametrize("head", [b"", EVENT_STREAM_HEAD], ids=["no head", "a head"])
def test_silence_is_not_asked_again(upstream: ScriptedUpstream, head: bytes) -> None:
    """The model may be at work; a second answer costs as much as the first."""
    done = threading.Event()

    def script(request: UpstreamRequest, connection: socket.socket) -> None:
        connection.sendall(head)
        silent_until(done)(request, connection)

    upstream.script = script
    with pytest.raises(UpstreamSilent, match="UPSTREAM_FIRST_BYTE_TIMEOUT"):
        Asker(upstream.url, UPSTREAM_FIRST_BYTE_TIMEOUT="0.05", FALLBACK_MODELS="a=b").read()
    done.set()
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    "sent", [chunk(b"d"), chunk(delta("one")), chunk(delta("one")) + b"nonsense\r\n"]
)
def test_nothing_is_asked_again_once_a_byte_of_the_body_has_come(
    upstream: ScriptedUpstream, sent: bytes
) -> None:
    upstream.script = dies_after(EVENT_STREAM_HEAD + sent)
    asker = Asker(upstream.url, OPENAI_API_KEY="k1,k2", FALLBACK_MODELS="a=b")
    with pytest.raises(UpstreamBroken):
        asker.read()
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("status", [401, 429])
def test_other_keys_are_tried_at_once_and_the_refused_ones_rest(
    upstream: ScriptedUpstream, status: int
) -> None:
    refusing = replies(status, ERROR, retry_after="3600")
    upstream.script = one_after_another(refusing, refusing, says("fine"))
    asker = Asker(upstream.url, OPENAI_API_KEY="k1,k2,k3", UPSTREAM_RETRIES="0")
    for _ in range(3):
        assert asker.read() == answer_stream(["fine"])
    assert keys_asked(upstream) == "12333"


def test_each_key_is_tried_once_before_the_client_is_told(upstream: ScriptedUpstream) -> None:
    upstream.script = replies(401, ERROR)
    with pytest.raises(UpstreamRefused):
        Asker(upstream.url, OPENAI_API_KEY="k1,k2,k3").read()
    assert keys_asked(upstream) == "123"


def test_key_that_is_busy_is_asked_again_when_the_others_are_too(
    upstream: ScriptedUpstream,
) -> None:
    busy = replies(429, ERROR, retry_after_ms="1")
    upstream.script = one_after_another(busy, busy, says("fine"))
    assert Asker(upstream.url, OPENAI_API_KEY="k1,k2").read() == answer_stream(["fine"])
    assert keys_asked(upstream) == "121"


def test_other_model_is_asked_with_nothing_but_its_name_changed(
    upstream: ScriptedUpstream,
) -> None:
    down = replies(503, ERROR)
    upstream.script = one_after_another(down, down, down, down, says("fine"))
    asker = Asker(upstream.url, UPSTREAM_RETRIES="1", FALLBACK_MODELS="a=b,b=c,c=a")
    assert asker.read() == answer_stream(["fine"])
    assert models_asked(upstream) == "aabbc"
    assert upstream.requests[-1].body == BODY.replace(b'"a"', b'"c"')
    assert asker.noted_as("model") == ["a", "a", "b", "b", "c"]


def test_models_in_a_circle_are_asked_once_each(upstream: ScriptedUpstream) -> None:
    upstream.script = replies(503, ERROR)
    with pytest.raises(UpstreamRefused):
        Asker(upstream.url, UPSTREAM_RETRIES="0", FALLBACK_MODELS="a=b,b=c,c=a").read()
    assert models_asked(upstream) == "abc"


def test_keys_get_another_chance_with_another_model(upstream: ScriptedUpstream) -> None:
    upstream.script = replies(429, ERROR, retry_after="3600")
    with pytest.raises(UpstreamRefused):
        Asker(upstream.url, OPENAI_API_KEY="k1,k2", FALLBACK_MODELS="a=b").read()
    assert models_asked(upstream) == "aab"


def test_key_that_failed_with_one_model_is_tried_with_the_next(upstream: ScriptedUpstream) -> None:
    upstream.script = one_after_another(replies(503, ERROR), replies(429, ERROR), says("fine"))
    asker = Asker(upstream.url, OPENAI_API_KEY="k1,k2", UPSTREAM_RETRIES="0", FALLBACK_MODELS="a=b")
    assert asker.read() == answer_stream(["fine"])
    assert (models_asked(upstream), keys_asked(upstream)) == ("abb", "121")


def test_keys_whose_rest_is_over_at_once_are_not_tried_for_ever(
    upstream: ScriptedUpstream,
) -> None:
    upstream.script = replies(429, ERROR, retry_after_ms="0.001")
    with pytest.raises(UpstreamRefused):
        Asker(upstream.url, OPENAI_API_KEY="k1,k2,k3", UPSTREAM_RETRIES="0").read()
    assert keys_asked(upstream) == "123"


@pytest.mark.parametrize(
    ("path", "content_type", "body"),
    [
        (
            "/audio/transcriptions",
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\na\r\n--x--\r\n',
        ),
        ("/v1beta/models/a:generateContent", "application/json", b'{"contents": []}'),
    ],
)
def test_form_or_path_that_names_a_model_is_not_asked_of_another(
    upstream: ScriptedUpstream, path: str, content_type: str, body: bytes
) -> None:
    """It would be the same request once more."""
    upstream.script = replies(503, ERROR)
    call = ModelCall("POST", path, "", {"content-type": content_type}, body, "a")
    with pytest.raises(UpstreamRefused):
        Asker(upstream.url, UPSTREAM_RETRIES="0", FALLBACK_MODELS="a=b").read(call)
    assert [asked.body for asked in upstream.requests] == [body]


def test_stop_ends_the_pause_between_two_attempts(upstream: ScriptedUpstream) -> None:
    upstream.script = replies(503, ERROR, retry_after="19")
    stop_signal = StopSignal()
    asker = Asker(upstream.url)
    told: list[SluiceError] = []

    def ask() -> None:
        with pytest.raises(Cancelled) as caught:
            asker.read(stop_signal=stop_signal)
        told.append(caught.value)

    asking = threading.Thread(target=ask)
    asking.start()
    while not upstream.requests:
        threading.Event().wait(0.001)
    reason = Cancelled("enough")
    stop_signal.stop(reason)
    asking.join(PATIENCE_S)
    assert told == [reason]
    assert len(upstream.requests) == 1


def test_pause_that_would_pass_the_deadline_is_not_begun(upstream: ScriptedUpstream) -> None:
    upstream.script = replies(503, ERROR, retry_after="19")
    with pytest.raises(UpstreamRefused):
        Asker(upstream.url).ask(deadline=deadline_in(int(MARGIN_S * 1000) + 10_000))
    assert len(upstream.requests) == 1


def test_nothing_more_is_asked_when_the_time_is_over(upstream: ScriptedUpstream) -> None:
    over = threading.Event()

    def answer_late(request: UpstreamRequest, connection: socket.socket) -> None:
        over.wait(PATIENCE_S)
        replies(500, ERROR)(request, connection)

    upstream.script = answer_late
    with pytest.raises(DeadlineReached):
        Asker(upstream.url).ask(deadline=deadline_in(int(MARGIN_S * 1000) + 1000))
    over.set()
    assert len(upstream.requests) == 1


def test_what_is_noted_is_of_the_last_attempt(upstream: ScriptedUpstream) -> None:
    upstream.script = one_after_another(
        replies(500, ERROR, x_request_id="u-1"), replies(200, {}, x_amzn_requestid="u-2")
    )
    asker = Asker(upstream.url)
    asker.read()
    noted: dict[str, Any] = {}
    for facts in asker.noted:
        noted |= facts
    assert noted == {
        "provider": "openai",
        "model": "a",
        "retries": 1,
        "upstream_request_id": "u-2",
    }


def test_deployment_is_noted_where_there_is_one(upstream: ScriptedUpstream) -> None:
    azure = {
        "AZURE_OPENAI_ENDPOINT": upstream.url.removesuffix("/v1"),
        "AZURE_OPENAI_MODEL_MAPPER": "a=x,b=y",
        "FALLBACK_MODELS": "a=b",
        "UPSTREAM_RETRIES": "0",
    }
    upstream.script = one_after_another(replies(503, ERROR), says("fine"))
    asker = Asker(upstream.url, **azure)
    assert asker.read() == answer_stream(["fine"])
    assert asker.noted_as("deployment") == ["x", "y"]
    assert ["/x/" in asked.target for asked in upstream.requests] == [True, False]
