"""One connection on real sockets: whom it is to, what is asked, and its time-outs."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from sluice.http.connection import (
    READ_BYTES,
    HttpConnection,
    Origin,
    Proxy,
    origin_of,
    proxy_of,
)
from sluice.http.http1 import HttpError
from tests.scripted_upstream import PATIENCE_S
from tests.sluice.certificate_authority import CertificateAuthority
from tests.sluice.http.connection_asking import (
    MUCH,
    OK,
    ask,
    connected,
    keeps_serving,
    under_tls,
)
from tests.sluice.http.served_connections import read_head, says, served

if TYPE_CHECKING:
    Address = tuple[str, int]


# Whom to connect to.


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


# Asking.


class Echo(BaseHTTPRequestHandler):
    """The standard library's server, which says what it was asked."""

    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        length = int(self.headers.get("content-length", 0))
        body = f"{self.command} {self.path} {self.headers['x-a']} ".encode()
        body += b"%d" % len(self.rfile.read(length))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_DELETE = _answer  # noqa: N815 -- their names there

    def log_message(self, *_: object) -> None: ...


def test_another_server_understands_one_request_after_another() -> None:
    server = HTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    with connected(("127.0.0.1", server.server_port)) as connection:
        for method, target, body in (
            ("GET", "/a?b", b""),
            ("POST", "/", b"x" * 10),
            ("POST", "/large", b"x" * 1_000_000),
            ("HEAD", "/", b""),
            ("POST", "/empty", b""),
            ("DELETE", "/d", b"x"),
        ):
            said = f"{method} {target} b {len(body)}".encode()
            expected = b"" if method == "HEAD" else said
            assert ask(connection, method, target, body) == (200, expected, True)
            assert connection.was_used
            assert not connection.is_stale()
    server.shutdown()
    server.server_close()
    thread.join(PATIENCE_S)


def test_connection_that_was_closed_is_opened_anew() -> None:
    with served(keeps_serving) as address, connected(address) as connection:
        for _ in range(3):
            assert not connection.is_open
            assert not connection.was_used
            assert ask(connection).body == b"ok"
            connection.close()
            connection.close()
        connection.open(PATIENCE_S)
        assert connection.is_open


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
    reply = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + MUCH
    with served(says(reply)) as address, connected(address) as connection:
        connection.open(PATIENCE_S)
        connection.request("GET", "/", {}, b"", PATIENCE_S)
        left = len(reply)
        while left:
            data = connection.receive(PATIENCE_S)
            assert 0 < len(data) <= READ_BYTES
            left -= len(data)


def test_header_that_cannot_be_sent_leaves_the_connection_as_it_was() -> None:
    with served(keeps_serving) as address, connected(address) as connection:
        connection.open(PATIENCE_S)
        with pytest.raises(ValueError, match="cannot be sent"):
            connection.request("GET", "/", {"x": "a\r\nb: c"}, b"", PATIENCE_S)
        with pytest.raises(ValueError, match="cannot be sent"):
            connection.request("GET", "/ HTTP/1.1\r\nx:", {}, b"", PATIENCE_S)
        assert ask(connection).body == b"ok"


@pytest.mark.parametrize("behind", [b"HTTP/1.1 200 OK\r\n\r\n", b"\r\n", b""])
def test_connection_on_which_something_came_unasked_is_stale(behind: bytes) -> None:
    sent = threading.Event()

    def script(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(OK)
        go_on.wait(PATIENCE_S)
        connection.sendall(behind) if behind else connection.shutdown(socket.SHUT_RDWR)
        sent.set()
        connection.recv(1)

    go_on = threading.Event()
    with served(script) as address, connected(address) as connection:
        assert ask(connection).is_kept
        assert not connection.is_stale()
        go_on.set()
        assert sent.wait(PATIENCE_S)
        assert connection.is_stale()


# Time-outs.


def test_silence_is_a_time_out() -> None:
    with served(lambda c: c.recv(65536) and c.recv(1)) as address, connected(address) as connection:
        connection.open(PATIENCE_S)
        connection.request("GET", "/", {}, b"", PATIENCE_S)
        with pytest.raises(TimeoutError):
            connection.receive(0.01)


def reads_slowly(connection: socket.socket) -> None:
    while connection.recv(16384):
        threading.Event().wait(0.001)


@pytest.mark.parametrize("is_encrypted", [False, True], ids=["plain", "TLS"])
def test_whole_request_shares_one_time_out(
    is_encrypted: bool,  # noqa: FBT001 -- a parameter of the test
    authority: CertificateAuthority,
) -> None:
    """Each piece of it is taken in time, and all of it is not."""
    script = under_tls(authority.serving("127.0.0.1"), reads_slowly)
    with (
        served(script if is_encrypted else reads_slowly) as address,
        connected(address, authority=authority if is_encrypted else None) as connection,
    ):
        connection.open(PATIENCE_S)
        with pytest.raises(TimeoutError):
            connection.request("POST", "/", {}, MUCH, 0.3)


# Replies that do not wait for the request.


@pytest.mark.parametrize("is_encrypted", [False, True], ids=["plain", "TLS"])
def test_refusal_of_a_large_body_is_read_although_the_body_was_not(
    is_encrypted: bool,  # noqa: FBT001 -- a parameter of the test
    authority: CertificateAuthority,
) -> None:
    def refuse(connection: socket.socket) -> None:
        assert b"content-length: 20000000" in read_head(connection)
        connection.sendall(b"HTTP/1.1 413 No\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno")

    script = under_tls(authority.serving("127.0.0.1"), refuse) if is_encrypted else refuse
    with served(script) as address:
        for _ in range(5):
            with connected(address, authority=authority if is_encrypted else None) as connection:
                assert ask(connection, "POST", "/", MUCH) == (413, b"no", False)


def test_hang_up_in_the_middle_of_a_request_is_found_by_receive() -> None:
    with served(lambda connection: connection.recv(1) and None) as address:
        for _ in range(5):
            with connected(address) as connection, pytest.raises((ConnectionError, HttpError)):
                ask(connection, "POST", "/", MUCH)
