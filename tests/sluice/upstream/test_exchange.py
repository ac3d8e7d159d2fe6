"""One request and its reply: what is kept, what is asked again, and what failures mean."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import pytest

from sluice.deadline import MARGIN_S
from sluice.errors import (
    Cancelled,
    DeadlineReached,
    InvalidField,
    UpstreamBroken,
    UpstreamSilent,
    UpstreamUnreachable,
)
from sluice.http.connection import Proxy
from sluice.settings import read_settings
from sluice.stop_signal import StopSignal
from sluice.upstream.connections import UpstreamConnections
from sluice.upstream.exchange import Exchange
from sluice.upstream.providers import UpstreamRequest
from tests.scripted_upstream import PATIENCE_S, refused_url
from tests.sluice.certificate_authority import CertificateAuthority
from tests.sluice.deadlines import FOREVER, deadline_in
from tests.sluice.http.served_connections import RealProxy, read_head, says, served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sluice.deadline import Deadline

    Script = Callable[[socket.socket], object]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
MUCH = b"x" * 20_000_000  # more than all buffers between two sockets hold


class Reply(NamedTuple):
    status: int
    body: bytes


class Asker:
    """Asks as a client of models does: each time over the connections of the times before."""

    def __init__(
        self, url: str, connections: UpstreamConnections | None = None, **environ: str
    ) -> None:
        self.url = url
        self._settings = read_settings(environ)
        self._connections = connections or UpstreamConnections()

    def ask(
        self,
        body: bytes = b"",
        deadline: Deadline = FOREVER,
        stop_signal: StopSignal | None = None,
        **headers: str,
    ) -> Reply:
        with self.exchange(deadline, stop_signal) as exchange:
            head = exchange.ask(UpstreamRequest("POST", self.url, headers, body))
            read = exchange.wait_for_first_bytes()
            while data := exchange.read_next():
                read += data
            return Reply(head.status, read)

    @contextmanager
    def exchange(self, deadline: Deadline, signal: StopSignal | None) -> Iterator[Exchange]:
        exchange = Exchange(self._connections, self._settings, deadline, signal or StopSignal())
        try:
            yield exchange
        finally:
            exchange.end()


class Upstream:
    """A script that runs another one for each connection, and the last one for all others."""

    def __init__(self, *scripts: Script) -> None:
        self._scripts = scripts
        self.connections = 0

    def __call__(self, connection: socket.socket) -> None:
        self.connections += 1
        self._scripts[min(self.connections, len(self._scripts)) - 1](connection)


@contextmanager
def asked(*scripts: Script, **environ: str) -> Iterator[tuple[Asker, Upstream]]:
    upstream = Upstream(*scripts)
    with served(upstream) as (host, port):
        yield Asker(f"http://{host}:{port}/v1", None, **environ), upstream


def keeps_serving(connection: socket.socket) -> None:
    while b"content-length: 0" in read_head(connection):
        connection.sendall(OK)


def takes_a_body(connection: socket.socket) -> None:
    read_head(connection)
    left = len(MUCH)
    while left:
        left -= len(connection.recv(left))
    connection.sendall(OK)


def test_connection_serves_one_request_after_another() -> None:
    with asked(keeps_serving) as (asker, upstream):
        for _ in range(3):
            assert asker.ask() == (200, b"ok")
        assert upstream.connections == 1


def test_refusal_of_a_large_body_is_read_although_the_body_was_not() -> None:
    def refuse(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno")

    with asked(refuse, keeps_serving) as (asker, upstream):
        assert asker.ask(MUCH) == (413, b"no")
        assert asker.ask() == (200, b"ok")
        assert upstream.connections == 2


def serves_once_and(then: Script) -> Script:
    def script(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(OK)
        then(connection)

    return script


def test_large_body_is_sent_again_where_the_kept_connection_was_closed() -> None:
    with asked(serves_once_and(lambda c: c.recv(1)), takes_a_body) as (asker, upstream):
        asker.ask()
        assert asker.ask(MUCH) == (200, b"ok")
        assert upstream.connections == 2


def test_large_body_that_nobody_takes_is_not_sent_again_on_a_new_connection() -> None:
    with asked(lambda c: c.recv(1)) as (asker, upstream):
        with pytest.raises(UpstreamUnreachable):
            asker.ask(MUCH)
        assert upstream.connections == 1


@pytest.mark.parametrize("begun", [b"H", b"HTTP/1.1 103 Hints\r\n\r\n", b"HTTP/1.1 200 OK\r\n"])
def test_reply_that_had_begun_is_not_asked_for_again(begun: bytes) -> None:
    """The model has begun, and a second answer would be billed as well."""

    def begin_and_hang_up(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(begun)

    with asked(serves_once_and(begin_and_hang_up), keeps_serving) as (asker, upstream):
        asker.ask()
        with pytest.raises(UpstreamUnreachable):
            asker.ask()
        assert upstream.connections == 1


@pytest.mark.parametrize("is_late", [False, True], ids=["at once", "later"])
def test_bytes_behind_a_reply_are_not_the_next_one(
    is_late: bool,  # noqa: FBT001 -- a parameter of the test
) -> None:
    evil = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    go_on, sent = threading.Event(), threading.Event()

    def script(connection: socket.socket) -> None:
        read_head(connection)
        if is_late:
            connection.sendall(OK)
            assert go_on.wait(PATIENCE_S)
            connection.sendall(evil)
        else:
            connection.sendall(OK + evil)
        sent.set()
        connection.recv(1)

    with asked(script, keeps_serving) as (asker, upstream):
        assert asker.ask() == (200, b"ok")
        go_on.set()
        assert sent.wait(PATIENCE_S)
        assert asker.ask() == (200, b"ok")
        assert upstream.connections == 2


@pytest.mark.parametrize(
    "reply",
    [
        OK.replace(b"200 OK", b"200 OK\r\nConnection: close"),
        OK.replace(b"1.1", b"1.0"),
        CHUNKED.replace(b"200 OK", b"200 OK\r\nContent-Length: 9") + b"2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nok",
    ],
)
def test_connection_that_is_not_to_be_kept_is_closed(reply: bytes) -> None:
    closed = threading.Event()

    def script(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(reply)
        if b"Con" not in reply and b"1.0" not in reply:
            connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""
        closed.set()

    with asked(script, keeps_serving) as (asker, _):
        assert asker.ask() == (200, b"ok")
        assert closed.wait(PATIENCE_S)
        assert asker.ask() == (200, b"ok")


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (CHUNKED + b"zz\r\n", 200),
        (CHUNKED.replace(b"200", b"401") + b"zz\r\n", 401),
        (b"HTTP/1.1 429 No\r\nContent-Length: x\r\n\r\n", 429),
    ],
)
def test_status_is_known_where_only_the_body_is_broken(reply: bytes, status: int) -> None:
    """Even if both came at once."""
    with asked(says(reply)) as (asker, _), asker.exchange(FOREVER, None) as exchange:
        request = UpstreamRequest("POST", asker.url, {}, b"")
        assert exchange.ask(request).status == status
        for _ in range(2):
            with pytest.raises(UpstreamBroken):
                exchange.wait_for_first_bytes()


def test_good_bytes_before_broken_ones_are_read() -> None:
    with (
        asked(says(CHUNKED + b"2\r\nok\r\nzz\r\n")) as (asker, _),
        asker.exchange(FOREVER, None) as exchange,
    ):
        exchange.ask(UpstreamRequest("POST", asker.url, {}, b""))
        assert exchange.wait_for_first_bytes() == b"ok"
        with pytest.raises(UpstreamBroken):
            exchange.read_next()


@pytest.mark.parametrize(
    "reply",
    [
        b"SSH-2.0-x\r\n",
        b"HTTP/1.1 101 Switching\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno header\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000,
        b"",
    ],
)
def test_upstream_that_does_not_speak_http_is_none(reply: bytes) -> None:
    def script(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(reply)

    with asked(script) as (asker, upstream):
        with pytest.raises(UpstreamUnreachable):
            asker.ask()
        assert upstream.connections == 1


@pytest.mark.parametrize(
    "reply",
    [OK[:-1], CHUNKED + b"2\r\nok\r\n", CHUNKED + b"0\r\n"],
    ids=["size", "chunks", "end"],
)
def test_reply_that_is_cut_short_is_broken(reply: bytes) -> None:
    def script(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(reply)

    with asked(script) as (asker, _), pytest.raises(UpstreamBroken):
        asker.ask()


def test_header_that_cannot_be_sent_is_refused_and_nothing_is_asked() -> None:
    with asked(keeps_serving) as (asker, _):
        asker.ask()
        with pytest.raises(InvalidField):
            asker.ask(x="a\r\nb: c")
        assert asker.ask() == (200, b"ok")


@pytest.mark.parametrize("url", ["http://é..example/", refused_url()], ids=["name", "port"])
def test_host_that_is_not_to_be_had_is_unreachable(url: str) -> None:
    with pytest.raises(UpstreamUnreachable):
        Asker(url).ask()


def test_informational_replies_do_not_lengthen_the_wait_for_the_first_byte() -> None:
    def script(connection: socket.socket) -> None:
        while True:
            connection.sendall(b"HTTP/1.1 103 Hints\r\n\r\n")
            threading.Event().wait(0.01)

    with (
        asked(script, UPSTREAM_FIRST_BYTE_TIMEOUT="0.2") as (asker, _),
        pytest.raises(UpstreamSilent, match="UPSTREAM_FIRST_BYTE_TIMEOUT"),
    ):
        asker.ask()


def test_deadline_ends_a_request_that_nobody_takes() -> None:
    done = threading.Event()
    with asked(lambda _: done.wait(PATIENCE_S)) as (asker, _):
        with pytest.raises(DeadlineReached):
            asker.ask(MUCH, deadline_in(int(MARGIN_S * 1000) + 100))
        done.set()


def test_stop_that_comes_behind_the_reply_does_not_harm_the_next_request() -> None:
    with asked(keeps_serving) as (asker, upstream):
        signal = StopSignal()
        with asker.exchange(FOREVER, signal) as exchange:
            exchange.ask(UpstreamRequest("POST", asker.url, {}, b""))
            assert exchange.wait_for_first_bytes() == b"ok"
            signal.stop(Cancelled("Too late."))
            assert exchange.read_next() == b""
        assert asker.ask() == (200, b"ok")
        assert upstream.connections == 2


def test_stop_that_came_before_asks_nothing() -> None:
    with asked(keeps_serving) as (asker, _):
        asker.ask()
        signal = StopSignal()
        signal.stop(Cancelled("No more."))
        for _ in range(2):
            with pytest.raises(Cancelled):
                asker.ask(stop_signal=signal)
        assert asker.ask() == (200, b"ok")


def test_stop_ends_a_large_body_on_its_way() -> None:
    signal = StopSignal()
    done = threading.Event()

    def script(connection: socket.socket) -> None:
        connection.recv(1)
        signal.stop(Cancelled("No more."))
        done.wait(PATIENCE_S)

    with asked(script) as (asker, _):
        with pytest.raises(Cancelled):
            asker.ask(MUCH, stop_signal=signal)
        done.set()


# Under TLS, and behind a proxy.


def unwraps(connection: socket.socket) -> None:
    """Close as TLS wants it. The other side does not answer."""
    connection.settimeout(0)
    connection.unwrap()  # type: ignore[attr-defined]


@pytest.mark.parametrize("through_proxy", [False, True], ids=["direct", "tunnel"])
@pytest.mark.parametrize(
    "ending",
    [lambda _: None, lambda c: c.recv(1), unwraps],
    ids=["closed", "closed at the request", "closed as TLS wants it"],
)
@pytest.mark.parametrize("body", [b"", MUCH], ids=["small", "large"])
def test_kept_tls_connection_that_was_closed_is_opened_anew(
    ending: Script,
    through_proxy: bool,  # noqa: FBT001 -- a parameter of the test
    body: bytes,
    tmp_path: Path,
) -> None:
    authority = CertificateAuthority(tmp_path)
    context = authority.serving("127.0.0.1")
    upstream = Upstream(serves_once_and(ending), takes_a_body if body else keeps_serving)

    def script(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as encrypted:
            upstream(encrypted)

    with served(script) as address, served(RealProxy(address)) as proxy:
        told = Proxy(*proxy, {}) if through_proxy else None
        connections = UpstreamConnections(told, str(authority.file))
        asker = Asker(f"https://{address[0]}:{address[1]}/v1", connections)
        assert asker.ask() == (200, b"ok")
        assert asker.ask(body) == (200, b"ok")
        assert upstream.connections == 2
        del asker, connections  # the server waits for what is kept to be closed
