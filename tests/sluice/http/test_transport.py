"""What the built-in transport does beyond the contract in tests/sluice/upstream/transports."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from sluice.errors import Cancelled
from sluice.http.errors import InvalidReply, NoReply, ReplyBroken, Stopped
from sluice.http.transport import MAX_KEPT_CONNECTIONS, HttpTransport
from sluice.stop_signal import StopSignal
from tests.scripted_upstream import PATIENCE_S, ScriptedUpstream, UpstreamRequest, refused_url
from tests.sluice.http.served_connections import read_head, served, under_tls
from tests.sluice.upstream.transports.sending import (
    CHUNKED,
    OK,
    Sender,
    keeps_serving,
    sender_to,
    sends,
    serves_once_and,
)

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from tests.sluice.certificate_authority import CertificateAuthority


@pytest.mark.parametrize("max_rest_s", [5.0, None])
def test_kept_connection_that_rested_for_too_long_is_not_used(max_rest_s: float | None) -> None:
    now = [1_700_000_000.0]

    def opened() -> HttpTransport:
        return HttpTransport(max_rest_s=max_rest_s, clock=lambda: now[0])

    with sender_to(opened, keeps_serving) as (sender, upstream):
        for rest_s, connections in ((0, 1), (4, 1), (5, 1), (5.1, 2), (0, 2)):
            now[0] += rest_s
            assert sender.send() == (200, b"ok")
            assert upstream.connections == (1 if max_rest_s is None else connections)


def test_request_that_must_not_be_repeated_is_sent_once() -> None:
    scripts = serves_once_and(read_head), keeps_serving
    with sender_to(lambda: HttpTransport(may_repeat=False), *scripts) as (sender, upstream):
        sender.send()
        with pytest.raises(NoReply) as caught:
            sender.send()
        assert not caught.value.has_begun
        assert upstream.connections == 1
        assert sender.send() == (200, b"ok")


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (CHUNKED + b"2\r\nok\r\n0\r\n", ReplyBroken),
        (CHUNKED + b"2\r\noknonsense\r\n0\r\n\r\n", InvalidReply),
    ],
)
def test_reply_that_others_would_take_is_refused(reply: bytes, error: type[Exception]) -> None:
    with sender_to(HttpTransport, sends(reply)) as (sender, _), pytest.raises(error):
        sender.send()


def test_number_of_kept_connections_is_bounded_and_the_oldest_goes(
    upstream: ScriptedUpstream,
) -> None:
    """There may be more tenants than file descriptors."""
    ports: list[int] = []

    def script(_request: UpstreamRequest, connection: socket.socket) -> None:
        ports.append(connection.getpeername()[1])
        connection.sendall(OK)

    upstream.script = script
    oldest, newest = 0, MAX_KEPT_CONNECTIONS
    with closing(HttpTransport()) as transport:
        for tenant in (*range(MAX_KEPT_CONNECTIONS + 1), newest, oldest):
            assert Sender(transport, upstream.url).send(tenant=(str(tenant),)) == (200, b"ok")
    assert len(set(ports[:-2])) == MAX_KEPT_CONNECTIONS + 1
    assert ports[-2] == ports[newest]
    assert ports[-1] not in ports[:-1]


def test_connection_is_not_kept_where_the_end_of_a_reply_is_in_doubt() -> None:
    twice_framed = CHUNKED.replace(b"200 OK", b"200 OK\r\nContent-Length: 9")
    scripts = serves_once_and(lambda c: c.recv(1)), keeps_serving
    first = sends(twice_framed + b"2\r\nok\r\n0\r\n\r\n")
    with sender_to(HttpTransport, first, *scripts) as (sender, upstream):
        assert sender.send() == (200, b"ok")
        assert sender.send() == (200, b"ok")
        assert upstream.connections == 2


def test_nothing_of_the_machine_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither its proxies nor its .netrc, whose password would replace the key."""
    heads: list[bytes] = []

    def script(connection: socket.socket) -> None:
        heads.append(read_head(connection))
        connection.sendall(OK)

    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("http_proxy", refused_url())
    with sender_to(HttpTransport, script) as (sender, _):
        assert sender.send() == (200, b"ok")
    assert b"authorization" not in heads[0]


def test_replies_need_no_threads() -> None:
    with sender_to(HttpTransport, keeps_serving) as (sender, _):
        sender.send()
        before = threading.active_count()
        with sender.reply() as reply:
            assert threading.active_count() == before
            assert reply.read() == b"ok"


def test_nothing_of_the_ciphertext_is_read_after_a_stop(authority: CertificateAuthority) -> None:
    """Between two reads, with encrypted bytes waiting in the socket."""
    sent = threading.Event()
    signal = StopSignal()

    def script(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(CHUNKED + b"3\r\none\r\n")
        connection.sendall(b"2710\r\n%b\r\n" % (b"x" * 10_000))
        sent.set()
        connection.recv(1)

    with (
        served(under_tls(authority.serving("127.0.0.1"), script)) as (host, port),
        closing(HttpTransport(trusted_certificates=str(authority.file))) as transport,
        Sender(transport, f"https://{host}:{port}/").reply(stop=signal) as reply,
    ):
        reply.wait_for_body()
        assert reply.read() == b"one"
        assert sent.wait(PATIENCE_S)
        signal.stop(Cancelled("No more."))
        with pytest.raises(Stopped):
            reply.read()
