"""Connections to upstreams: stopped whatever they wait for, kept, and asked again once."""

from __future__ import annotations

import array
import fcntl
import os
import socket
import ssl
import subprocess
import sys
import termios
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sluice.deadline import MARGIN_S
from sluice.errors import ConnectionGone, DeadlineReached, UpstreamUnreachable
from sluice.settings import read_settings
from sluice.stop_signal import StopSignal
from sluice.upstream.connections import UpstreamConnections
from sluice.upstream.exchange import AT_ONCE_S, Exchange
from sluice.upstream.providers import UpstreamRequest as GatewayRequest
from tests.scripted_upstream import (
    EVENT_STREAM_HEAD,
    PATIENCE_S,
    ScriptedUpstream,
    UpstreamRequest,
    chunk,
    delta,
    endless,
    refused_url,
    replies,
    says,
    scripted_upstream,
)
from tests.sluice.certificates import self_signed_certificate
from tests.sluice.deadlines import FOREVER, deadline_in
from tests.sluice.upstream.test_client import BODY, client_of, read_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sluice.http.connection import HttpConnection


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


def test_nothing_of_the_machine_is_asked(upstream: ScriptedUpstream, tmp_path: Path) -> None:
    """Neither its proxies nor its .netrc, whose password would replace the key."""
    host = upstream.url.split("/")[2].split(":")[0]
    (tmp_path / ".netrc").write_text(f"machine {host} login me password secret\n")
    program = (
        "import sys\n"
        "from tests.sluice.upstream.test_client import client_of, read_all\n"
        "read_all(client_of(sys.argv[1]))\n"
    )
    root = Path(__file__).parents[3]
    environ = {
        "HOME": str(tmp_path),
        "http_proxy": refused_url(),
        "PYTHONPATH": os.pathsep.join(
            [str(root), str(root / "layers/shared/python"), str(root / "layers/runtime/python")]
        ),
    }
    subprocess.run([sys.executable, "-c", program, upstream.url], env=environ, check=True)
    assert upstream.requests[0].headers["authorization"] == "Bearer sk-secret-1"


def test_answers_need_no_threads(upstream: ScriptedUpstream) -> None:
    client = client_of(upstream.url)
    before = threading.active_count()
    with client.chat(BODY, FOREVER) as answer:
        assert threading.active_count() <= before + 1  # the upstream's own
        list(answer.chunks())


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
    connections = UpstreamConnections(trusted_certificates=pem)
    stop_signal = StopSignal()
    settings = read_settings({"OPENAI_BASE_URL": upstream.url})
    exchange = Exchange(connections, settings, FOREVER, stop_signal)
    url = upstream.url.replace("http:", "https:")
    assert exchange.ask(GatewayRequest("GET", url, {}, b"")).status == 200
    assert exchange.wait_for_first_bytes() == delta("one")
    assert sent.wait(PATIENCE_S)
    stop_signal.stop(ConnectionGone("gone"))
    with pytest.raises(ConnectionGone):
        exchange.read_next()
    exchange.end()


def test_upstream_that_waits_to_send_more_hears_at_once_that_nobody_reads(
    upstream: ScriptedUpstream,
) -> None:
    """Its window is closed, and all that it sent has been read by the time of closing."""
    upstream.script = endless()
    stop_signal = StopSignal()
    settings = read_settings({"OPENAI_BASE_URL": upstream.url})
    exchange = Exchange(UpstreamConnections(), settings, FOREVER, stop_signal)
    exchange.ask(GatewayRequest("GET", upstream.url, {}, b""))
    connection = exchange._connection  # noqa: SLF001 -- what is left in it decides
    assert connection is not None
    wait_until_full(connection)
    stop_signal.stop(ConnectionGone("gone"))
    while connection.receive(PATIENCE_S):
        pass
    exchange.end()
    assert upstream.gone.wait(PATIENCE_S)


def wait_until_full(connection: HttpConnection) -> None:
    """Until no more comes into the socket, which nobody reads."""
    below: Any = connection._below  # noqa: SLF001 -- its other side cannot tell
    before, now = -1, 0
    while before != now or not now:
        threading.Event().wait(0.05)
        count = array.array("i", [0])
        fcntl.ioctl(below.fileno(), termios.FIONREAD, count)
        before, now = now, count[0]
