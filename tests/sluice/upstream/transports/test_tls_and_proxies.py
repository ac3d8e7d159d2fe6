"""Every transport under TLS and through HTTP proxies: what it trusts, and what a proxy sees."""

from __future__ import annotations

import ssl
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from sluice.http.errors import CannotConnect, NoReply
from tests.sluice.certificate_authority import CertificateAuthority
from tests.sluice.http.served_connections import RealProxy, read_head, served, under_tls
from tests.sluice.upstream.transports.sending import (
    MUCH,
    OK,
    Sender,
    Upstream,
    keeps_serving,
    sends,
    serves_once_and,
    takes_a_body,
    unwraps,
)

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from tests.sluice.upstream.transports.sending import OpenTransport, Script


@pytest.mark.parametrize("through_proxy", [False, True], ids=["direct", "tunnel"])
@pytest.mark.parametrize(
    "ending",
    [lambda _: None, lambda c: c.recv(1), unwraps],
    ids=["closed", "closed at the request", "closed as TLS wants it"],
)
@pytest.mark.parametrize("body", [b"", MUCH], ids=["small", "large"])
def test_kept_tls_connection_that_was_closed_is_opened_anew(
    open_transport: OpenTransport,
    authority: CertificateAuthority,
    ending: Script,
    through_proxy: bool,  # noqa: FBT001 -- a parameter of the test
    body: bytes,
) -> None:
    upstream = Upstream(serves_once_and(ending), takes_a_body if body else keeps_serving)
    script = under_tls(authority.serving("127.0.0.1"), upstream)
    with served(script) as address, served(RealProxy(address)) as proxy:
        url = f"http://127.0.0.1:{proxy[1]}" if through_proxy else None
        with closing(open_transport(url, str(authority.file))) as transport:
            sender = Sender(transport, f"https://127.0.0.1:{address[1]}/v1")
            assert sender.send() == (200, b"ok")
            assert sender.send(body) == (200, b"ok")
            assert upstream.connections == 2


@pytest.mark.parametrize("certified", ["127.0.0.1", "localhost"])
def test_server_without_a_trusted_certificate_gets_no_request(
    open_transport: OpenTransport, authority: CertificateAuthority, certified: str, tmp_path: Path
) -> None:
    """Signed by a stranger, or for another host."""
    heads: list[bytes] = []
    serving = authority.serving(certified)
    trusted = authority if certified == "localhost" else CertificateAuthority(new(tmp_path))
    script = under_tls(serving, lambda connection: heads.append(read_head(connection)))
    with (
        served(script) as (host, port),
        closing(open_transport(None, str(trusted.file))) as transport,
    ):
        with pytest.raises(CannotConnect) as caught:
            Sender(transport, f"https://{host}:{port}/").send()
        assert isinstance(root_of(caught.value), ssl.SSLCertVerificationError)
    assert heads == []


def new(folder: Path) -> Path:
    (folder / "other").mkdir()
    return folder / "other"


def root_of(error: BaseException) -> BaseException:
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error


def sends_at_once(connection: socket.socket) -> None:
    connection.recv(1)
    connection.sendall(OK)


def test_server_without_tls_cannot_be_connected_to(
    open_transport: OpenTransport, authority: CertificateAuthority
) -> None:
    with (
        served(sends_at_once) as (host, port),
        closing(open_transport(None, str(authority.file))) as transport,
        pytest.raises(CannotConnect),
    ):
        Sender(transport, f"https://{host}:{port}/").send()


def test_proxy_gets_the_whole_url_of_http_and_a_login_that_goes_no_further(
    open_transport: OpenTransport,
) -> None:
    with served(keeps_serving) as upstream:
        proxy = RealProxy(upstream)
        with (
            served(proxy) as (host, port),
            closing(open_transport(f"http://us%40er:pass@{host}:{port}")) as transport,
        ):
            sender = Sender(transport, "http://api.example:8080/v1?a=b")
            assert sender.send() == (200, b"ok")
            assert sender.send() == (200, b"ok")
    head = proxy.heads[0].lower()
    assert head.startswith(b"post http://api.example:8080/v1?a=b http/1.1\r\n")
    assert b"\r\nhost: api.example:8080\r\n" in head
    assert b"\r\nproxy-authorization: basic dxnazxi6cgfzcw==\r\n" in head
    assert b"POST /v1?a=b HTTP/1.1\r\n" in proxy.passed


@pytest.mark.parametrize("host", ["api.example", "2001:db8::1"])
def test_tunnel_carries_nothing_that_the_proxy_can_read(
    open_transport: OpenTransport, authority: CertificateAuthority, host: str
) -> None:
    bracketed = f"[{host}]" if ":" in host else host
    heads: list[bytes] = []

    def script(connection: socket.socket) -> None:
        heads.append(read_head(connection))
        connection.sendall(OK)

    with served(under_tls(authority.serving(host), script)) as upstream:
        proxy = RealProxy(upstream)
        with served(proxy) as address:
            url = f"http://user:pass@127.0.0.1:{address[1]}"
            with closing(open_transport(url, str(authority.file))) as transport:
                assert Sender(transport, f"https://{bracketed}/secret").send() == (200, b"ok")
    (head,) = proxy.heads
    assert head.startswith(f"CONNECT {bracketed}:443 HTTP/1.".encode())
    assert b"\r\nproxy-authorization: basic dxnlcjpwyxnz\r\n" in head.lower()
    assert b"secret" not in proxy.passed
    assert heads[0].startswith(b"POST /secret HTTP/1.1\r\n")
    assert f"\r\nhost: {bracketed}\r\n".encode() in heads[0].lower()


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 407 Who?\r\nProxy-Authenticate: Basic\r\nContent-Length: 2\r\n\r\nno",
        b"HTTP/1.1 502 Bad\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 There\r\nLocation: http://elsewhere\r\n\r\n",
        b"HTTP/1.1 200",
        b"SSH-2.0-x\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000,
        b"",
    ],
)
def test_tunnel_that_is_refused_is_no_connection(
    open_transport: OpenTransport, reply: bytes
) -> None:
    with (
        served(sends(reply)) as (host, port),
        closing(open_transport(f"http://{host}:{port}")) as transport,
        pytest.raises(CannotConnect),
    ):
        Sender(transport, "https://api.example/").send()


def test_proxy_that_hangs_up_gives_no_reply(open_transport: OpenTransport) -> None:
    with (
        served(lambda c: read_head(c) and None) as (host, port),
        closing(open_transport(f"http://{host}:{port}")) as transport,
        pytest.raises(NoReply),
    ):
        Sender(transport, "http://api.example/").send()
