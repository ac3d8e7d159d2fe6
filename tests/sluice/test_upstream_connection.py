"""The watched connection: stopped whatever it waits for, kept, and asked again once."""

from __future__ import annotations

import socket
import ssl
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from urllib3.exceptions import HTTPError

from sluice.deadline import MARGIN_S, Alarm
from sluice.errors import ConnectionGone, DeadlineReached, UpstreamUnreachable
from sluice.openai_client import AT_ONCE_S
from sluice.stop_signal import StopSignal
from sluice.upstream_connection import ConnectionWatch, watched_session
from tests.scripted_upstream import (
    EVENT_STREAM_HEAD,
    PATIENCE_S,
    ScriptedUpstream,
    UpstreamRequest,
    chunk,
    delta,
    replies,
    says,
    scripted_upstream,
)
from tests.sluice.certificates import self_signed_certificate
from tests.sluice.deadlines import FOREVER, deadline_in
from tests.sluice.test_openai_client import BODY, client_of, read_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def trickling(head: bytes) -> Callable[[UpstreamRequest, socket.socket], None]:
    """A script: this, and then a byte every 20 ms for as long as somebody listens."""

    def script(_request: UpstreamRequest, connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(b"x")
            threading.Event().wait(0.02)

    return script


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nX-Endless: ",
        b"HTTP/1.1 500 Oh\r\nContent-Type: text/plain\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n",
    ],
    ids=["head", "error body", "body"],
)
def test_deadline_ends_an_upstream_that_trickles(upstream: ScriptedUpstream, head: bytes) -> None:
    upstream.script = trickling(head)
    with (
        pytest.raises(DeadlineReached),
        client_of(upstream.url).chat(BODY, deadline_in(int(MARGIN_S * 1000) + 150)) as answer,
    ):
        list(answer.chunks())
    assert upstream.gone.wait(PATIENCE_S)


def test_kept_connection_that_was_closed_meanwhile_is_opened_anew(
    upstream: ScriptedUpstream,
) -> None:
    """The upstream closes it at the very moment the next request arrives."""
    client = client_of(upstream.url)
    read_all(client)
    hung_up = threading.Event()

    def hang_up_once(request: UpstreamRequest, connection: socket.socket) -> None:
        if hung_up.is_set():
            says("again")(request, connection)
        else:
            hung_up.set()
            connection.shutdown(socket.SHUT_RDWR)

    upstream.script = hang_up_once
    assert b"again" in read_all(client)
    assert len(upstream.requests) == 3


def test_hang_up_that_comes_late_is_not_asked_again(upstream: ScriptedUpstream) -> None:
    """The model may have begun, and a second answer would be billed as well."""
    client = client_of(upstream.url)
    read_all(client)

    def think_and_hang_up(_request: UpstreamRequest, connection: socket.socket) -> None:
        threading.Event().wait(AT_ONCE_S + 0.1)
        connection.shutdown(socket.SHUT_RDWR)

    upstream.script = think_and_hang_up
    with pytest.raises(UpstreamUnreachable):
        read_all(client)
    assert len(upstream.requests) == 2


def test_alarm_that_was_cancelled_in_the_last_moment_does_not_ring() -> None:
    rings: list[str] = []
    alarm = Alarm(900, lambda: rings.append("late"))
    alarm.cancel()
    alarm._come()  # noqa: SLF001 -- the timer's thread was past its own check already
    assert rings == []


def test_new_connection_that_hangs_up_is_not_asked_again(upstream: ScriptedUpstream) -> None:
    upstream.script = lambda _request, connection: connection.shutdown(socket.SHUT_RDWR)
    with pytest.raises(UpstreamUnreachable):
        read_all(client_of(upstream.url))
    assert len(upstream.requests) == 1


def test_time_for_connecting_is_not_the_time_for_sending() -> None:
    """A large request to an upstream that takes it slowly."""
    may_read = threading.Event()
    body = b'{"x":"' + b"y" * 20_000_000 + b'"}'
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            may_read.wait(PATIENCE_S)
            with connection, connection.makefile("rb") as stream:
                while stream.readline().strip():
                    pass
                stream.read(len(body))
                says("a")(UpstreamRequest("", "", {}, b""), connection)

        server = threading.Thread(target=serve)
        server.start()
        host, port = listener.getsockname()
        client = client_of(f"http://{host}:{port}/v1", UPSTREAM_CONNECT_TIMEOUT="0.1")
        threading.Timer(0.3, may_read.set).start()
        with client.chat(body, FOREVER) as answer:
            assert b"[DONE]" in b"".join(answer.chunks())
        server.join(PATIENCE_S)


def test_cookies_of_one_answer_do_not_go_with_the_next_request(upstream: ScriptedUpstream) -> None:
    upstream.script = replies(200, {}, set_cookie="tenant=1; Path=/")
    client = client_of(upstream.url)
    for _ in range(2):
        read_all(client)
    assert all("cookie" not in request.headers for request in upstream.requests)


def test_nothing_of_the_machine_is_in_a_session() -> None:
    session = watched_session(ConnectionWatch())
    assert session.trust_env is False  # no proxies, no .netrc
    assert dict(session.headers) == {}


def test_alarm_does_not_outlive_its_answer(upstream: ScriptedUpstream) -> None:
    before = threading.active_count()
    client = client_of(upstream.url)
    for _ in range(3):
        read_all(client)
    upstream.script = lambda _request, connection: connection.shutdown(socket.SHUT_RDWR)
    with pytest.raises(UpstreamUnreachable):
        read_all(client_of(upstream.url))
    timers = [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]
    for timer in timers:
        timer.join(PATIENCE_S)
    assert threading.active_count() <= before + 4  # the upstream's own threads


def test_stop_after_the_end_leaves_the_kept_connection_alone(upstream: ScriptedUpstream) -> None:
    client = client_of(upstream.url)
    stop_signal = StopSignal()
    with client.chat(BODY, FOREVER, stop_signal) as answer:
        list(answer.chunks())
    stop_signal.stop(ConnectionGone("too late"))
    assert b"[DONE]" in read_all(client)


@pytest.fixture
def tls_upstream(tmp_path: Path) -> Iterator[tuple[ScriptedUpstream, str]]:
    pem = self_signed_certificate(tmp_path)
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(pem)
    with scripted_upstream(served) as upstream:
        yield upstream, str(pem)


def test_stop_ends_a_read_under_tls_and_nothing_of_the_ciphertext_is_read(
    tls_upstream: tuple[ScriptedUpstream, str],
) -> None:
    """Stopped between two reads, with encrypted bytes waiting in the socket."""
    upstream, pem = tls_upstream
    sent = threading.Event()

    def script(_request: UpstreamRequest, connection: socket.socket) -> None:
        connection.sendall(EVENT_STREAM_HEAD + chunk(delta("one")))
        connection.sendall(chunk(delta("x" * 10_000)))
        sent.set()

    upstream.script = script
    watch = ConnectionWatch()
    session = watched_session(watch)
    session.verify = pem
    watch.begin()
    response = session.get(upstream.url.replace("http:", "https:"), stream=True, timeout=PATIENCE_S)
    with response:
        assert response.raw.read1(65536) == delta("one")
        assert sent.wait(PATIENCE_S)
        watch.stop(ConnectionGone("gone"))
        read = list(iter(partial(_read_or_end, response.raw), b""))
        assert not any(b"\x17\x03\x03" in data for data in read)  # the head of a TLS record
    session.close()


def _read_or_end(raw: Any) -> bytes:
    try:
        data: bytes = raw.read1(65536)
    except HTTPError:
        return b""
    return data
