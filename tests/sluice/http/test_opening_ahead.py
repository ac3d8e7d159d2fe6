"""Connections that a thread opens ahead of their request: which request gets them, and when."""

from __future__ import annotations

import socket
import threading
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from sluice.errors import Cancelled
from sluice.http.connection import ConnectionAhead, HttpConnection, Origin, origin_of
from sluice.http.errors import CONNECT, END, CannotConnect, Stopped, TimedOut, UntrustedCertificate
from sluice.http.transport import MAX_AHEAD_S, HttpTransport
from sluice.stop_signal import StopSignal
from tests.scripted_upstream import PATIENCE_S, refused_url
from tests.sluice.clocks import HandClock, until
from tests.sluice.http.served_connections import read_head
from tests.sluice.upstream.transports.sending import Sender, keeps_serving, waits

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    from tests.sluice.certificate_authority import CertificateAuthority

SOON_S = 0.05
MORE_THAN_ANY_MEMORY = 1 << 46
"""Of a thread's stack, in bytes: the system cannot start such a thread."""
REASON = Cancelled("No more.")
TOO_LATE = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"
"""What some servers send when no request comes."""
ANOTHER = "http://127.0.0.2:1/another"
ALSO_UNDER_TLS = pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "TLS"])


class Server:
    """Serves any number of connections at once, each by `script`."""

    def __init__(self, listener: socket.socket, tls: ssl.SSLContext | None) -> None:
        self._listener, self._tls = listener, tls
        self.script: Callable[[socket.socket], object] = keeps_serving
        self.connections = 0
        self.may_begin = threading.Event()
        """Until it is set, TLS handshakes wait."""
        self.may_begin.set()
        self.ended = threading.Semaphore(0)
        """Released for each connection that its client has closed."""

    @property
    def url(self) -> str:
        host, port = self._listener.getsockname()
        return f"{'https' if self._tls else 'http'}://{host}:{port}/v1"

    def accept(self) -> None:
        with suppress(OSError):  # of `accept`, when the test is over
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def wait_for_end(self) -> None:
        assert self.ended.acquire(timeout=PATIENCE_S)

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(PATIENCE_S)
        with suppress(OSError):
            if self._tls:
                assert self.may_begin.wait(PATIENCE_S)
                connection = self._tls.wrap_socket(connection, server_side=True)
            self.script(connection)
        with connection, suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(1024):
                pass
        self.ended.release()


class Ahead:
    """A transport to the server, by a clock of the test."""

    def __init__(self, server: Server, authority: CertificateAuthority | None) -> None:
        trusted = str(authority.file) if authority else None
        self.server = server
        self.now = HandClock()
        self.on_look: Callable[[], object] = lambda: None
        """Called when the transport looks at the clock."""
        self.transport = HttpTransport(None, trusted, clock=self._clock)
        self.sender = Sender(self.transport, server.url)

    def open(self, *, url: str = "", timeout_s: float = PATIENCE_S, tenant: str = "a") -> None:
        self.transport.open_ahead(url or self.server.url, timeout_s, (tenant,))

    def send(self, tenant: str = "a") -> int:
        """Returns how many connections the server has had after that."""
        assert self.sender.send(tenant=(tenant,)) == (200, b"ok")
        return self.server.connections

    def _clock(self) -> float:
        self.on_look()
        return self.now()


@contextmanager
def served(tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(listener, tls)
    acceptor = threading.Thread(target=server.accept, daemon=True)
    acceptor.start()
    try:
        yield server
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join(PATIENCE_S)


@contextmanager
def ahead_of(authority: CertificateAuthority | None, *, is_tls: bool = True) -> Iterator[Ahead]:
    """authority: the one that the client trusts, where it is under TLS."""
    tls = authority.serving("127.0.0.1") if authority and is_tls else None
    with served(tls) as server:
        ahead = Ahead(server, authority)
        with closing(ahead.transport):
            yield ahead


@ALSO_UNDER_TLS
def test_connection_is_nobodys_before_its_request_and_then_of_one_tenant(
    authority: CertificateAuthority, *, is_tls: bool
) -> None:
    with ahead_of(authority, is_tls=is_tls) as ahead:
        ahead.open(tenant="a")
        ahead.open(tenant="b")  # one is there already
        assert ahead.send("b") == 1
        assert ahead.send("b") == 1
        assert ahead.send("a") == 2


def test_nothing_is_opened_where_the_tenant_has_a_kept_connection() -> None:
    with ahead_of(None) as ahead:
        ahead.send("a")
        ahead.open(tenant="a")
        assert ahead.send("a") == 1
    assert ahead.server.connections == 1


def test_request_waits_for_an_opening_in_progress(authority: CertificateAuthority) -> None:
    """The server goes on when the request has begun to look for a connection."""
    with ahead_of(authority) as ahead:
        ahead.server.may_begin.clear()
        ahead.open()
        ahead.on_look = ahead.server.may_begin.set
        assert ahead.send() == 1


@pytest.mark.parametrize("is_trusted", [False, True])
def test_opening_that_fails_meanwhile_fails_its_request(
    authority: CertificateAuthority, *, is_trusted: bool
) -> None:
    """With the usual error, and without another connection."""
    with ahead_of(authority if is_trusted else None, is_tls=False) as ahead:
        server, tls = ahead.server, authority.serving("127.0.0.1")
        may_fail = threading.Event()

        def script(connection: socket.socket) -> None:
            assert may_fail.wait(PATIENCE_S)
            if is_trusted:
                connection.shutdown(socket.SHUT_WR)
            else:
                tls.wrap_socket(connection, server_side=True)

        server.script = script
        ahead.sender.url = server.url.replace("http:", "https:")
        ahead.open(url=ahead.sender.url)
        ahead.on_look = may_fail.set
        with pytest.raises(CannotConnect) as caught:
            ahead.sender.send()
        assert isinstance(caught.value, UntrustedCertificate) is not is_trusted
        assert caught.value.__cause__ is not None
        assert server.connections == 1
        server.wait_for_end()


def test_opening_that_has_failed_is_forgotten() -> None:
    """Its request, which may be another one and come later, tries again."""
    with ahead_of(None) as ahead:
        ahead.server.script = lambda connection: connection.shutdown(socket.SHUT_WR)
        ahead.sender.url = ahead.server.url.replace("http:", "https:")
        ahead.open(url=ahead.sender.url)
        ahead.server.wait_for_end()
        with pytest.raises(CannotConnect):
            ahead.sender.send()
        assert ahead.server.connections == 2


def test_connection_that_cannot_be_opened_is_reported_by_its_request() -> None:
    with closing(HttpTransport()) as transport:
        for url in (refused_url(), "http://no.such.host.invalid/", f"http://{'é' * 64}.example/"):
            transport.open_ahead(url, PATIENCE_S)
            with pytest.raises(CannotConnect):
                Sender(transport, url).send()


def test_request_opens_its_own_connection_if_no_thread_can_be_started() -> None:
    with ahead_of(None) as ahead:
        threading.stack_size(MORE_THAN_ANY_MEMORY)
        try:
            ahead.open()
        finally:
            threading.stack_size(0)
        assert ahead.server.connections == 0
        assert ahead.send() == 1


@pytest.mark.parametrize("opening_s", [SOON_S, PATIENCE_S])
@pytest.mark.parametrize(
    ("limits", "wait"), [({"connect_s": SOON_S}, CONNECT), ({"seconds": SOON_S}, END)]
)
def test_wait_for_an_opening_ends_in_time(
    authority: CertificateAuthority, limits: dict[str, float], wait: str, opening_s: float
) -> None:
    with ahead_of(authority) as ahead:
        ahead.server.may_begin.clear()
        ahead.open(timeout_s=opening_s)
        with pytest.raises(TimedOut) as caught:
            ahead.sender.send(wait=waits(**limits))
        assert caught.value.wait == wait
        ahead.server.may_begin.set()
        ahead.server.wait_for_end()
        assert ahead.send() == 2


def test_stop_ends_the_wait_for_an_opening(authority: CertificateAuthority) -> None:
    with ahead_of(authority) as ahead:
        ahead.server.may_begin.clear()
        ahead.open()
        signal = StopSignal()
        stopping = threading.Timer(SOON_S, signal.stop, [REASON])
        stopping.start()
        with pytest.raises(Stopped):
            ahead.sender.send(stop=signal)
        stopping.join()
        ahead.server.may_begin.set()
        ahead.server.wait_for_end()


@pytest.mark.parametrize("is_open", [False, True])
@pytest.mark.parametrize("why", ["too old", "another origin", "transport closed"])
def test_connection_that_no_request_takes_is_closed(
    authority: CertificateAuthority, why: str, *, is_open: bool
) -> None:
    with ahead_of(authority) as ahead:
        server, begun = ahead.server, threading.Event()

        def script(connection: socket.socket) -> None:
            begun.set()
            keeps_serving(connection)

        server.script = script
        if not is_open:
            server.may_begin.clear()
        ahead.open()
        assert not is_open or begun.wait(PATIENCE_S)
        if why == "too old":
            ahead.now.now += MAX_AHEAD_S
            server.may_begin.set()
            assert ahead.send() == 2
        elif why == "another origin":
            ahead.open(url=ANOTHER)
        else:
            ahead.transport.close()
        server.may_begin.set()
        server.wait_for_end()


@ALSO_UNDER_TLS
@pytest.mark.parametrize("said", [b"", TOO_LATE], ids=["hung up", "too late"])
def test_connection_that_the_server_ends_or_talks_on_serves_no_request(
    authority: CertificateAuthority, said: bytes, *, is_tls: bool
) -> None:
    """Unlike one on which TLS has sent its tickets, which make it readable, too."""
    begun, may_speak = threading.Event(), threading.Event()

    def script(connection: socket.socket) -> None:
        begun.set()
        assert may_speak.wait(PATIENCE_S)
        connection.sendall(said) if said else connection.shutdown(socket.SHUT_WR)
        read_head(connection)

    with served(authority.serving("127.0.0.1") if is_tls else None) as server:
        server.script = script
        origin, _ = origin_of(server.url)
        connection = HttpConnection(origin, None, str(authority.file))
        ahead = ConnectionAhead(connection, PATIENCE_S, until=1.0)
        assert ahead.serves(origin, 0.9)
        ahead.wait(PATIENCE_S)
        assert begun.wait(PATIENCE_S)
        assert ahead.serves(origin, 0.9)
        assert not ahead.serves(origin, 1.0)
        assert not ahead.serves(Origin(*origin[:2], origin.port + 1), 0.9)
        may_speak.set()
        until(lambda: not ahead.serves(origin, 0.9))
        connection.close()
