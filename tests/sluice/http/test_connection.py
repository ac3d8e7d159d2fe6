"""One connection on real sockets: where it goes, which certificates it trusts, and how it ends.

What a request over it becomes is in tests/sluice/upstream/transports.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sluice.http.connection import READ_BYTES, HttpConnection, Origin, Proxy, origin_of, proxy_of
from tests.scripted_upstream import PATIENCE_S
from tests.sluice.http.served_connections import RealProxy, read_head, says, served, under_tls

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sluice.certificate_authority import CertificateAuthority

    Address = tuple[str, int]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
MUCH = b"x" * 20_000_000  # more than all buffers between two sockets hold


@contextmanager
def connection_to(
    address: Address,
    proxy: Proxy | None = None,
    authority: CertificateAuthority | None = None,
) -> Iterator[HttpConnection]:
    """Not yet open; under TLS where there is an authority; closed in the end."""
    origin = Origin("https" if authority else "http", *address)
    connection = HttpConnection(origin, proxy, str(authority.file) if authority else None)
    try:
        yield connection
    finally:
        connection.close()


def answers(connection: socket.socket) -> None:
    """A script: one short reply."""
    read_head(connection)
    connection.sendall(OK)


def reply_over(connection: HttpConnection) -> bytes:
    connection.open(PATIENCE_S)
    connection.request("GET", "/", {}, b"", time.monotonic() + PATIENCE_S, PATIENCE_S)
    return connection.receive(PATIENCE_S)


@pytest.mark.parametrize(
    ("url", "origin", "target", "authority"),
    [
        ("http://a.example", ("http", "a.example", 80), "/", "a.example"),
        ("http://a.example:80/", ("http", "a.example", 80), "/", "a.example"),
        ("https://a.example:443/v1", ("https", "a.example", 443), "/v1", "a.example"),
        ("https://a.example:80/v1", ("https", "a.example", 80), "/v1", "a.example:80"),
        ("http://A.Example:8080/V1", ("http", "a.example", 8080), "/V1", "a.example:8080"),
        ("http://a.example?q=1", ("http", "a.example", 80), "/?q=1", "a.example"),
        ("http://a.example/p?q=/a?b", ("http", "a.example", 80), "/p?q=/a?b", "a.example"),
        ("http://a.example/p?", ("http", "a.example", 80), "/p", "a.example"),
        ("http://a.example//b@c:1", ("http", "a.example", 80), "//b@c:1", "a.example"),
        ("http://127.0.0.1:1/", ("http", "127.0.0.1", 1), "/", "127.0.0.1:1"),
        ("http://[::1]/", ("http", "::1", 80), "/", "[::1]"),
        ("https://[2001:DB8::1]:8443/", ("https", "2001:db8::1", 8443), "/", "[2001:db8::1]:8443"),
        ("https://bücher.example/", ("https", "xn--bcher-kva.example", 443), "/",
         "xn--bcher-kva.example"),
    ],
)  # fmt: skip
def test_url_says_whom_to_connect_to_and_what_to_ask(
    url: str, origin: tuple[str, str, int], target: str, authority: str
) -> None:
    found, asked = origin_of(url)
    assert (found, asked) == (origin, target)
    assert found.authority == authority


@pytest.mark.parametrize("host", ["é" * 64, "é..example", "\udcff.example"])
def test_host_that_cannot_be_a_name_is_a_unicode_error(host: str) -> None:
    with pytest.raises(UnicodeError):
        origin_of(f"http://{host}/")


@pytest.mark.parametrize(
    ("url", "host", "port", "authorization"),
    [
        ("http://proxy.example:3128", "proxy.example", 3128, None),
        ("http://proxy.example", "proxy.example", 80, None),
        ("http://[::1]:3128/", "::1", 3128, None),
        ("http://user:pass@proxy.example", "proxy.example", 80, "Basic dXNlcjpwYXNz"),
        ("http://user@proxy.example", "proxy.example", 80, "Basic dXNlcjo="),
        ("http://us%40er:p%3Aa%2Fs%25@proxy.example", "proxy.example", 80,
         "Basic dXNAZXI6cDphL3Ml"),
        ("http://u:%C3%A9%0A@proxy.example", "proxy.example", 80, "Basic dTrDqQo="),
    ],
)  # fmt: skip
def test_proxy_is_told_who_asks(url: str, host: str, port: int, authorization: str | None) -> None:
    headers = {} if authorization is None else {"proxy-authorization": authorization}
    assert proxy_of(url) == Proxy(host, port, headers)


def test_connection_that_is_forgotten_is_closed() -> None:
    gone = threading.Event()

    def script(connection: socket.socket) -> None:
        if not connection.recv(1):
            gone.set()

    with served(script) as address:
        connection = HttpConnection(Origin("http", *address))
        connection.open(PATIENCE_S)
        del connection
        assert gone.wait(PATIENCE_S)


def test_what_comes_at_once_is_read_in_pieces_of_a_limit() -> None:
    with served(says(MUCH)) as address, connection_to(address) as connection:
        data, left = reply_over(connection), len(MUCH)
        while left := left - len(data):
            assert 0 < len(data) <= READ_BYTES
            data = connection.receive(PATIENCE_S)


def reads_slowly(connection: socket.socket) -> None:
    while connection.recv(16384):
        threading.Event().wait(0.001)


def test_whole_request_under_tls_shares_one_timeout(authority: CertificateAuthority) -> None:
    """Each piece of it is taken in time, and all of it is not."""
    script = under_tls(authority.serving("127.0.0.1"), reads_slowly)
    with served(script) as address, connection_to(address, None, authority) as connection:
        connection.open(PATIENCE_S)
        with pytest.raises(TimeoutError):
            connection.request("POST", "/", {}, MUCH, time.monotonic() + 0.3, PATIENCE_S)


# Whom it trusts.


@pytest.mark.parametrize(
    ("certified", "asked"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("localhost", "localhost"),
        ("localhost", "localhost."),
        ("*.api.example", "eu.api.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
    ],
)
def test_host_is_the_one_of_the_certificate(
    certified: str, asked: str, authority: CertificateAuthority
) -> None:
    assert asked_over_tls(authority, asked, certified) == OK


@pytest.mark.parametrize(
    ("certified", "asked", "days"),
    [
        ("localhost", "127.0.0.1", 1),
        ("127.0.0.2", "127.0.0.1", 1),
        ("127.0.0.1", "localhost", 1),
        ("api.example", "example", 1),
        ("*.api.example", "a.eu.api.example", 1),
        ("api.example", "api.example.org", 1),
        ("api.example", "api.example", -1),
    ],
)
def test_host_that_is_not_the_one_of_a_valid_certificate_is_rejected(
    certified: str, asked: str, days: int, authority: CertificateAuthority
) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        asked_over_tls(authority, asked, certified, days)


def asked_over_tls(
    authority: CertificateAuthority, host: str, certified: str, days: int = 1
) -> bytes:
    """What a server with such a certificate replies, if it is trusted as `host`."""
    script = under_tls(authority.serving(certified, days=days), answers)
    with (
        served(script) as upstream,
        served(RealProxy(upstream)) as proxy,
        connection_to((host, 443), Proxy(*proxy, {}), authority) as connection,
    ):
        return reply_over(connection)


# Tunnels.


def test_tunnel_is_open_behind_an_informational_reply(authority: CertificateAuthority) -> None:
    serving = under_tls(authority.serving("api.example"), answers)

    def script(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 100 Wait\r\n\r\nHTTP/1.1 200 OK\r\nContent-")
        connection.sendall(b"Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n")
        serving(connection)

    with (
        served(script) as address,
        connection_to(("api.example", 443), Proxy(*address, {}), authority) as connection,
    ):
        assert reply_over(connection) == OK


def test_what_a_proxy_puts_behind_its_reply_is_not_the_upstreams(
    authority: CertificateAuthority,
) -> None:
    serving = under_tls(authority.serving("api.example"), answers)

    def script(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + OK.replace(b"ok", b"no"))
        serving(connection)

    with (
        served(script) as address,
        connection_to(("api.example", 443), Proxy(*address, {}), authority) as connection,
        suppress(OSError),  # where it comes later, and is not TLS
    ):
        assert reply_over(connection) == OK


# How it ends.


def test_connection_that_was_shut_down_before_is_not_opened() -> None:
    with served(answers) as address, connection_to(address) as connection:
        connection.shut_down()
        for _ in range(2):
            with pytest.raises(ConnectionAbortedError):
                connection.open(PATIENCE_S)


def test_stop_that_comes_with_the_end_hits_no_other_connection() -> None:
    """The descriptor may be another's by then."""
    with served(answers) as address:
        for _ in range(200):
            connection = HttpConnection(Origin("http", *address))
            connection.open(PATIENCE_S)
            barrier = threading.Barrier(2)
            stopper = threading.Thread(target=stop_at, args=(barrier, connection))
            stopper.start()
            barrier.wait(PATIENCE_S)
            connection.close()
            pair = socket.socketpair()
            stopper.join(PATIENCE_S)
            pair[0].sendall(b"x")
            assert pair[1].recv(1) == b"x"
            for each in pair:
                each.close()


def stop_at(barrier: threading.Barrier, connection: HttpConnection) -> None:
    barrier.wait(PATIENCE_S)
    connection.shut_down()


def test_connection_that_is_cut_off_before_its_handshake_is_not_open(
    authority: CertificateAuthority,
) -> None:
    """Python takes it for one yet to be connected, and would send what comes without TLS."""
    is_closed = threading.Event()

    def script(connection: socket.socket) -> None:
        connection.recv(1)
        connection.close()
        is_closed.set()

    class CutOff(HttpConnection):
        def _wrap_in_tls(self, end: float) -> None:
            self.shut_down()
            assert is_closed.wait(PATIENCE_S)
            super()._wrap_in_tls(end)

    with served(script) as address:
        connection = CutOff(Origin("https", *address), None, str(authority.file))
        with pytest.raises(OSError, match=r"not connected|Broken pipe"):
            connection.open(PATIENCE_S)
        connection.close()


def test_server_that_waits_to_send_more_hears_at_once_that_nobody_reads() -> None:
    """Its window is closed, and all that it sent has been read by the time of closing."""
    full, gone = threading.Event(), threading.Event()

    def script(connection: socket.socket) -> None:
        read_head(connection)
        connection.settimeout(0)
        with suppress(BlockingIOError):
            while connection.send(MUCH):
                pass
        full.set()
        connection.settimeout(PATIENCE_S)
        try:
            connection.sendall(MUCH)
        except OSError:
            gone.set()

    with served(script) as address, connection_to(address) as connection:
        reply_over(connection)
        assert full.wait(PATIENCE_S)
        connection.shut_down()
        while connection.receive(PATIENCE_S):
            pass
        connection.close(resets=True)
        assert gone.wait(PATIENCE_S)


def test_connection_that_is_refused_leaves_no_descriptor() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address: Any = listener.getsockname()
    before = open_files()
    for _ in range(20):
        with connection_to(address) as connection, pytest.raises(ConnectionRefusedError):
            connection.open(PATIENCE_S)
    assert open_files() < before + 20


def open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))
