"""Connections through a real proxy, and through some that are none."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest
import requests

from sluice.http.connection import (
    HttpConnection,
    Origin,
    Proxy,
    ProxyRefusedError,
    proxy_of,
)
from tests.scripted_upstream import PATIENCE_S
from tests.sluice.certificate_authority import CertificateAuthority
from tests.sluice.http.connection_asking import (
    OK,
    ask,
    connected,
    keeps_serving,
    under_tls,
)
from tests.sluice.http.served_connections import RealProxy, read_head, served

if TYPE_CHECKING:
    from collections.abc import Callable

    Address = tuple[str, int]


def open_through(proxy: Address, timeout: float = PATIENCE_S, host: str = "api.example") -> None:
    """Raises as `open` does."""
    connection = HttpConnection(Origin("https", host, 443), Proxy(*proxy, {}))
    try:
        connection.open(timeout)
    finally:
        connection.close()


def test_proxy_is_asked_for_the_whole_url_each_time() -> None:
    with served(keeps_serving) as upstream:
        proxy = RealProxy(upstream)
        with served(keeps_serving_as(proxy)) as address:
            told = proxy_of(f"http://us%40er:pass@127.0.0.1:{address[1]}")
            with connected(("api.example", 8080), told) as connection:
                assert ask(connection, "GET", "/v1?a=b") == (200, b"ok", True)
                assert ask(connection, "GET", "/v2") == (200, b"ok", True)
    first, second = proxy.heads
    assert first == (
        b"GET http://api.example:8080/v1?a=b HTTP/1.1\r\nhost: api.example:8080\r\nx-a: b\r\n"
        b"proxy-authorization: Basic dXNAZXI6cGFzcw==\r\n\r\n"
    )
    assert second.startswith(b"GET http://api.example:8080/v2 HTTP/1.1\r\n")
    assert b"proxy-authorization" in second
    assert b"proxy-" not in proxy.passed


def keeps_serving_as(proxy: RealProxy) -> Callable[[socket.socket], object]:
    """A proxy that keeps connections, with a short reply to each."""

    def script(connection: socket.socket) -> None:
        while head := read_head(connection):
            proxy.heads.append(head)
            connection.sendall(OK)

    return script


def test_absolute_form_arrives_at_the_upstream_as_a_path() -> None:
    asked: list[bytes] = []

    def upstream_script(connection: socket.socket) -> None:
        asked.append(read_head(connection))
        connection.sendall(OK)

    with served(upstream_script) as upstream, served(RealProxy(upstream)) as address:
        proxy = Proxy(*address, {"proxy-authorization": "Basic eA=="})
        with connected(("::1", 8080), proxy) as connection:
            assert ask(connection, "GET", "/v1").body == b"ok"
    assert asked == [b"GET /v1 HTTP/1.1\r\nhost: [::1]:8080\r\nx-a: b\r\n\r\n"]


@pytest.mark.parametrize("host", ["api.example", "2001:db8::1"])
def test_tunnel_carries_nothing_that_the_proxy_can_read(
    host: str, authority: CertificateAuthority
) -> None:
    asked: list[bytes] = []

    def upstream_script(connection: socket.socket) -> None:
        asked.append(read_head(connection))
        connection.sendall(OK)

    script = under_tls(authority.serving(host), upstream_script)
    with served(script) as upstream:
        proxy = RealProxy(upstream)
        with served(proxy) as address:
            told = proxy_of(f"http://user:pass@127.0.0.1:{address[1]}")
            with connected((host, 443), told, authority) as connection:
                assert ask(connection, "GET", "/secret").body == b"ok"
    bracketed = f"[{host}]" if ":" in host else host
    authority_form = f"{bracketed}:443".encode()
    assert proxy.heads == [
        b"CONNECT %b HTTP/1.1\r\nhost: %b\r\nproxy-authorization: Basic dXNlcjpwYXNz\r\n\r\n"
        % (authority_form, authority_form)
    ]
    assert b"secret" not in proxy.passed
    assert asked == [f"GET /secret HTTP/1.1\r\nhost: {bracketed}\r\nx-a: b\r\n\r\n".encode()]


def test_requests_tells_a_proxy_the_same(authority: CertificateAuthority) -> None:
    """Of one that is asked for http, and of one that makes a tunnel."""
    script = under_tls(authority.serving("api.example"), keeps_serving)
    with served(script) as encrypted, served(keeps_serving) as plain:
        for scheme, upstream in (("https", encrypted), ("http", plain)):
            proxy = RealProxy(upstream)
            with served(proxy) as address, requests.Session() as session:
                url = f"http://us%40er:p%3Ass@127.0.0.1:{address[1]}"
                session.trust_env = False
                session.verify = str(authority.file)
                session.get(
                    f"{scheme}://api.example:8443/v1?a=b",
                    proxies={scheme: url},
                    headers={"connection": "close"},
                    timeout=PATIENCE_S,
                )
                session.close()
                ours = authority if scheme == "https" else None
                with connected(("api.example", 8443), proxy_of(url), ours) as connection:
                    assert ask(connection, "GET", "/v1?a=b").body == b"ok"
            theirs, own = proxy.heads
            assert theirs.split(b" ")[:2] == own.split(b" ")[:2]
            assert scheme == "https" or header(theirs, b"host") == header(own, b"host")
            assert header(theirs, b"proxy-authorization") == header(own, b"proxy-authorization")


def header(head: bytes, name: bytes) -> bytes:
    lines = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
    return next(value for each, value in lines.items() if each.lower() == name)


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 407 Who?\r\nProxy-Authenticate: Basic\r\nContent-Length: 2\r\n\r\nno",
        b"HTTP/1.1 502 Bad\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 There\r\nLocation: http://elsewhere\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\n\r\n",
        b"HTTP/1.1 200",
        b"SSH-2.0-x\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000,
        b"HTTP/1.1 200 OK\r\nno header\r\n\r\n",
    ],
)
def test_tunnel_that_is_refused_is_an_error(reply: bytes) -> None:
    def script(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(reply)

    with served(script) as address, pytest.raises((ProxyRefusedError, ConnectionResetError)):
        open_through(address)


def test_proxy_that_hangs_up_has_refused() -> None:
    with served(lambda c: read_head(c) and None) as address, pytest.raises(ProxyRefusedError):
        open_through(address)


def test_tunnel_is_open_behind_an_informational_reply(authority: CertificateAuthority) -> None:
    serving = under_tls(authority.serving("api.example"), keeps_serving)

    def script(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 100 Wait\r\n\r\nHTTP/1.1 200 OK\r\nContent-")
        connection.sendall(b"Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n")
        serving(connection)

    with (
        served(script) as address,
        connected(("api.example", 443), Proxy(*address, {}), authority) as connection,
    ):
        assert ask(connection).body == b"ok"


def test_what_a_proxy_puts_behind_its_reply_is_not_the_upstreams(
    authority: CertificateAuthority,
) -> None:
    serving = under_tls(authority.serving("api.example"), keeps_serving)

    def script(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + OK.replace(b"ok", b"no"))
        serving(connection)

    with (
        served(script) as address,
        connected(("api.example", 443), Proxy(*address, {}), authority) as connection,
    ):
        try:
            body = ask(connection).body
        except OSError:
            return  # it came later, and was no TLS
        assert body == b"ok"


def trickles(connection: socket.socket, piece: bytes) -> None:
    while True:
        connection.sendall(piece)
        threading.Event().wait(0.01)


def test_tunnel_that_trickles_shares_one_time_out() -> None:
    def script(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        trickles(connection, b"x")

    with served(script) as address, pytest.raises(TimeoutError):
        open_through(address, 0.2)
