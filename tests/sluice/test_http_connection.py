"""One connection on real sockets: direct, through proxies, under TLS, stopped at each stage."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import requests

from sluice.http1 import HttpError, ReplyReader
from sluice.http_connection import (
    READ_BYTES,
    HttpConnection,
    Origin,
    Proxy,
    ProxyRefusedError,
    origin_of,
    proxy_of,
)
from tests.scripted_upstream import PATIENCE_S
from tests.sluice.certificate_authority import CertificateAuthority
from tests.sluice.served_connections import RealProxy, read_head, says, served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Address = tuple[str, int]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
MUCH = b"x" * 20_000_000  # more than all buffers between two sockets hold


class Reply(NamedTuple):
    status: int
    body: bytes
    is_kept: bool


def ask(
    connection: HttpConnection, method: str = "GET", target: str = "/", body: bytes = b""
) -> Reply:
    if not connection.is_open:
        connection.open(PATIENCE_S)
    connection.request(method, target, {"x-a": "b"}, body, PATIENCE_S)
    return reply_on(connection, method)


def reply_on(connection: HttpConnection, method: str = "GET") -> Reply:
    reader, found = ReplyReader(method), b""
    while not reader.is_over:
        data = connection.receive(PATIENCE_S)
        if data:
            found += reader.feed(data)
        else:
            reader.end()
    assert reader.head is not None
    return Reply(reader.head.status, found, reader.may_keep_connection)


@contextmanager
def connected(
    address: Address,
    proxy: Proxy | None = None,
    authority: CertificateAuthority | None = None,
    host: str | None = None,
) -> Iterator[HttpConnection]:
    """A connection to an address, under TLS where there is an authority; closed in the end."""
    origin = Origin("https" if authority else "http", host or address[0], address[1])
    connection = HttpConnection(origin, proxy, str(authority.file) if authority else None)
    try:
        yield connection
    finally:
        connection.close()


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority(tmp_path)


def under_tls(
    context: ssl.SSLContext, script: Callable[[socket.socket], object]
) -> Callable[[socket.socket], object]:
    def tls_script(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as encrypted:
            script(encrypted)

    return tls_script


def keeps_serving(connection: socket.socket) -> None:
    """A script: the same short reply to each request without a body."""
    while read_head(connection):
        connection.sendall(OK)


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


def trickles(connection: socket.socket, piece: bytes) -> None:
    while True:
        connection.sendall(piece)
        threading.Event().wait(0.01)


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


def test_tunnel_that_trickles_shares_one_time_out() -> None:
    def script(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        trickles(connection, b"x")

    with served(script) as address, pytest.raises(TimeoutError):
        open_through(address, 0.2)


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


# Proxies.


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


# TLS.


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
    script = under_tls(authority.serving(certified), keeps_serving)
    with served(script) as upstream, served(RealProxy(upstream)) as proxy:
        for _ in range(2):
            with connected((asked, 443), Proxy(*proxy, {}), authority) as connection:
                assert ask(connection) == (200, b"ok", True)
                assert ask(connection) == (200, b"ok", True)
                assert not connection.is_stale()


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
    ids=str,
)
def test_host_that_is_not_the_one_of_the_certificate_is_not_asked(
    certified: str, asked: str, days: int, authority: CertificateAuthority
) -> None:
    heads: list[bytes] = []
    context = authority.serving(certified, days=days)
    script = under_tls(context, lambda connection: heads.append(read_head(connection)))
    with (
        served(script) as upstream,
        served(RealProxy(upstream)) as proxy,
        connected((asked, 443), Proxy(*proxy, {}), authority) as connection,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        connection.open(PATIENCE_S)
    assert heads == []


def test_authority_that_is_not_trusted_is_not_asked(
    authority: CertificateAuthority, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = CertificateAuthority(tmp_path / "other")
    with served(under_tls(authority.serving("127.0.0.1"), keeps_serving)) as address:
        for trusted in (str(other.file), None):
            connection = HttpConnection(Origin("https", *address), None, trusted)
            with pytest.raises(ssl.SSLCertVerificationError):
                connection.open(PATIENCE_S)
            connection.close()


@pytest.mark.parametrize(
    "script",
    [says(OK), lambda c: c.recv(1) and c.sendall(OK), lambda c: c.recv(1) and None],
    ids=["silent", "no TLS", "hangs up"],
)
def test_server_without_tls_is_an_os_error(
    script: Callable[[socket.socket], object], authority: CertificateAuthority
) -> None:
    with (
        served(script) as address,
        connected(address, authority=authority) as connection,
        pytest.raises(OSError, match=r"SSL|EOF|timed out|reset"),
    ):
        connection.open(0.2)


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


def reset(connection: socket.socket) -> None:
    """Close it without a farewell."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest.mark.parametrize("is_encrypted", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("ending", ["closed", "reset", "closed as TLS wants it"])
def test_connection_that_was_closed_meanwhile_is_stale(
    ending: str,
    is_encrypted: bool,  # noqa: FBT001 -- a parameter of the test
    authority: CertificateAuthority,
) -> None:
    may_close, is_closed = threading.Event(), threading.Event()

    def script(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(OK)
        assert may_close.wait(PATIENCE_S)
        if ending == "reset":
            reset(connection)
        elif ending == "closed" or not isinstance(connection, ssl.SSLSocket):
            connection.close()
        else:
            connection.settimeout(0)
            with suppress(OSError):  # the other side does not answer it
                connection.unwrap()
        is_closed.set()
        may_end.wait(PATIENCE_S)

    may_end = threading.Event()
    serving = under_tls(authority.serving("127.0.0.1"), script) if is_encrypted else script
    with (
        served(serving) as address,
        connected(address, authority=authority if is_encrypted else None) as connection,
    ):
        assert ask(connection).is_kept
        assert not connection.is_stale()
        may_close.set()
        assert is_closed.wait(PATIENCE_S)
        assert connection.is_stale()
        with pytest.raises((OSError, HttpError)):
            ask(connection)
        may_end.set()


# Stopping, and what it leaves.


class Stage(NamedTuple):
    """How far a connection gets: what the server does, and says by `reached`."""

    script: Callable[[socket.socket, Callable[[], None]], None]
    scheme: str = "http"
    through_proxy: bool = False
    body: bytes = b""


def at_once(connection: socket.socket, reached: Callable[[], None]) -> None:
    connection.recv(1)
    reached()
    connection.recv(1)


def in_the_head(connection: socket.socket, reached: Callable[[], None]) -> None:
    read_head(connection)
    connection.sendall(b"HTTP/1.1 200 O")
    reached()
    connection.recv(1)


def in_the_body(connection: socket.socket, reached: Callable[[], None]) -> None:
    read_head(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHell")
    reached()
    connection.recv(1)


def in_the_handshake(connection: socket.socket, reached: Callable[[], None]) -> None:
    read_head(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    at_once(connection, reached)


STAGES = {
    "tunnel": Stage(at_once, "https", through_proxy=True),
    "head of the tunnel": Stage(in_the_head, "https", through_proxy=True),
    "handshake in the tunnel": Stage(in_the_handshake, "https", through_proxy=True),
    "handshake": Stage(at_once, "https"),
    "sending": Stage(at_once, body=MUCH),
    "head": Stage(in_the_head),
    "body": Stage(in_the_body),
}


@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
def test_another_thread_ends_whatever_is_waited_for(stage: Stage) -> None:
    connections: list[HttpConnection] = []

    def script(connection: socket.socket) -> None:
        stage.script(connection, connections[0].shut_down)

    with served(script) as address:
        origin = Origin(stage.scheme, *address)
        connection = HttpConnection(origin, Proxy(*address, {}) if stage.through_proxy else None)
        connections.append(connection)
        with pytest.raises((OSError, HttpError)) as raised:
            ask(connection, "POST", "/", stage.body)
        assert not isinstance(raised.value, TimeoutError)
        connection.close()
        assert not connection.is_open
        with pytest.raises(ConnectionAbortedError):
            connection.open(PATIENCE_S)
        connection.close()


@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
def test_no_descriptor_is_left_where_a_connection_failed(stage: Stage) -> None:
    def hang_up(connection: socket.socket) -> None:
        stage.script(connection, lambda: connection.shutdown(socket.SHUT_RDWR))

    with served(hang_up) as address:
        origin = Origin(stage.scheme, *address)
        connection = HttpConnection(origin, Proxy(*address, {}) if stage.through_proxy else None)
        counts = []
        for _ in range(5):
            with pytest.raises((OSError, HttpError)):
                ask(connection, "POST", "/", stage.body)
            connection.close()
            counts.append(open_sockets_to(address))
    assert counts == [0] * 5


def open_sockets_to(address: Address) -> int:
    """Descriptors of this process whose other side is `address`."""
    return sum(_peer(int(entry.name)) == address for entry in Path("/dev/fd").iterdir())


def _peer(descriptor: int) -> Any:
    with suppress(OSError):  # no socket, or gone
        borrowed = socket.socket(fileno=descriptor)
        try:
            return borrowed.getpeername()
        finally:
            borrowed.detach()


def test_connection_that_was_shut_down_before_is_not_opened() -> None:
    with served(keeps_serving) as address, connected(address) as connection:
        connection.shut_down()
        for _ in range(2):
            with pytest.raises(ConnectionAbortedError):
                connection.open(PATIENCE_S)
            connection.close()


def test_open_connection_that_was_shut_down_sends_and_receives_nothing() -> None:
    with served(keeps_serving) as address, connected(address) as connection:
        assert ask(connection).body == b"ok"
        connection.shut_down()
        connection.shut_down()
        assert connection.is_stale()
        with pytest.raises((OSError, HttpError)):
            ask(connection)


def test_stop_that_comes_with_the_end_hits_no_other_connection() -> None:
    """The descriptor may be another's by then."""
    with served(keeps_serving) as address:
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


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    with connected(address) as connection, pytest.raises(ConnectionRefusedError):
        connection.open(PATIENCE_S)
