"""How requests end before their replies do: the three waits, the end of all time, and stops."""

from __future__ import annotations

import socket
import threading
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

import pytest

from sluice.errors import Cancelled
from sluice.http.errors import CONNECT, END, FIRST_BYTE, NEXT_BYTE, SENDING, Stopped, TimedOut
from sluice.http.transport import Waits
from sluice.stop_signal import StopSignal
from tests.scripted_upstream import PATIENCE_S, ScriptedUpstream, UpstreamRequest
from tests.sluice.http.served_connections import read_head, served, under_tls
from tests.sluice.upstream.transports.sending import (
    CHUNKED,
    MUCH,
    OK,
    Sender,
    keeps_serving,
    sender_to,
    waits,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.sluice.certificate_authority import CertificateAuthority
    from tests.sluice.upstream.transports.sending import OpenTransport

SOON_S = 0.05
THREADS = 8
LIMITS = {
    CONNECT: "connect_s",
    SENDING: "next_byte_s",
    FIRST_BYTE: "first_byte_s",
    NEXT_BYTE: "next_byte_s",
    END: "seconds",
}
"""What `waits` calls each wait."""
REASON = Cancelled("No more.")
ONE_CHUNK = b"2\r\nok\r\n"
CLOSING = CHUNKED.replace(b"200 OK", b"200 OK\r\nConnection: close")
UNFRAMED = b"HTTP/1.1 200 OK\r\n\r\nok"


class Phase(NamedTuple):
    """Where a request is stuck.

    said: what the server says to its request. wait: whose fault the timeout is.
    """

    wait: str
    said: bytes = b""
    scheme: str = "http"
    proxy: bool = False
    body: bytes = b""
    is_taken: bool = True


PHASES = {
    "connecting": Phase(CONNECT, is_taken=False),
    "TLS handshake": Phase(CONNECT, scheme="https"),
    "tunnel": Phase(CONNECT, scheme="https", proxy=True),
    "head of the tunnel": Phase(CONNECT, b"HTTP/1.1 200 O", "https", proxy=True),
    "handshake in the tunnel": Phase(CONNECT, b"HTTP/1.1 200 OK\r\n\r\n", "https", proxy=True),
    "sending": Phase(SENDING, body=MUCH),
    "sending, for as long as all the rest": Phase(FIRST_BYTE, body=MUCH),
    "nothing": Phase(FIRST_BYTE),
    "within the head": Phase(FIRST_BYTE, b"HTTP/1.1 200 O"),
    "no body": Phase(FIRST_BYTE, CHUNKED),
    "within the body": Phase(NEXT_BYTE, CHUNKED + ONE_CHUNK),
    "within a chunk's size": Phase(NEXT_BYTE, CHUNKED + ONE_CHUNK + b"ff"),
    "within a body that ends with the connection": Phase(NEXT_BYTE, UNFRAMED),
    "within the body of a connection that ends": Phase(NEXT_BYTE, CLOSING + ONE_CHUNK),
}


class Stuck(NamedTuple):
    sender: Sender
    phase: Phase
    reached: threading.Event
    """Set once the server has come so far; never where it takes no connection."""

    def send(self, limits: Waits | None = None, stop: StopSignal | None = None) -> None:
        self.sender.send(self.phase.body, stop=stop, wait=limits)


@contextmanager
def stuck_in(open_transport: OpenTransport, phase: Phase) -> Iterator[Stuck]:
    reached, done = threading.Event(), threading.Event()

    def script(connection: socket.socket) -> None:
        if phase.said:
            read_head(connection)
            connection.sendall(phase.said)
        else:
            connection.recv(1)
        reached.set()
        done.wait(PATIENCE_S)

    with served(script) if phase.is_taken else full_queue() as (host, port):
        proxy = f"http://{host}:{port}" if phase.proxy else None
        with closing(open_transport(proxy)) as transport:
            try:
                yield Stuck(Sender(transport, f"{phase.scheme}://{host}:{port}/v1"), phase, reached)
            finally:
                done.set()


@contextmanager
def full_queue() -> Iterator[tuple[str, int]]:
    """An address that neither takes a connection nor refuses it."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.settimeout(0)
            each.connect_ex(listener.getsockname())
        yield listener.getsockname()
        for each in waiting:
            each.close()


@pytest.mark.parametrize("phase", PHASES.values(), ids=PHASES)
def test_request_ends_in_each_phase(open_transport: OpenTransport, phase: Phase) -> None:
    """By the wait for that phase, by the end of all time, and by another thread."""
    for wait in {phase.wait, END}:
        with stuck_in(open_transport, phase) as stuck, pytest.raises(TimedOut) as timed_out:
            stuck.send(waits(**{LIMITS[wait]: SOON_S}))
        assert timed_out.value.wait == wait
    signal = StopSignal()
    with stuck_in(open_transport, phase) as stuck:
        stopping = threading.Thread(target=stop_once, args=(signal, stuck))
        stopping.start()
        with pytest.raises(Stopped) as stopped:
            stuck.send(stop=signal)
        stopping.join(PATIENCE_S)
    if not phase.body:  # in the middle of sending nobody can tell
        assert stopped.value.was_sent == (phase.wait != CONNECT)


def stop_once(signal: StopSignal, stuck: Stuck) -> None:
    stuck.reached.wait(PATIENCE_S if stuck.phase.is_taken else SOON_S)
    signal.stop(REASON)


def trickling(head: bytes, byte: bytes) -> Callable[[socket.socket], None]:
    """A script: a head, and then `byte` every 10 ms for as long as somebody listens."""

    def script(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(head)
        while True:
            connection.sendall(byte)
            threading.Event().wait(0.01)

    return script


@pytest.mark.parametrize(
    ("head", "byte", "wait"),
    [
        (b"HTTP/1.1 200 OK\r\nX-Endless: ", b"1", FIRST_BYTE),
        (b"", b"HTTP/1.1 103 Hints\r\n\r\n", FIRST_BYTE),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"1", END),
        (CHUNKED + b"1;", b"1", FIRST_BYTE),
        (CHUNKED + ONE_CHUNK + b"1;", b"1", NEXT_BYTE),
        (CHUNKED + ONE_CHUNK + b"0\r\n", b"X: y\r\n", NEXT_BYTE),
        (CHUNKED + b"0\r\n", b"X: y\r\n", FIRST_BYTE),
    ],
    ids=[
        "head", "informational replies", "body", "first size", "a chunk's extension", "trailers",
        "trailers of nothing",
    ],
)  # fmt: skip
def test_upstream_that_trickles_shares_one_wait(
    open_transport: OpenTransport, head: bytes, byte: bytes, wait: str
) -> None:
    """Only bytes of the body begin it anew; the end of all time is for them."""
    limits = {"first_byte_s": 1.0, "seconds": 1.3} if wait == END else {LIMITS[wait]: 0.1}
    with sender_to(open_transport, trickling(head, byte)) as (sender, _):
        with pytest.raises(TimedOut) as caught:
            sender.send(wait=waits(**limits))
        assert caught.value.wait == wait


@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "TLS"])
def test_pauses_of_sending_and_the_first_byte_are_bounded_though_some_is_taken(
    open_transport: OpenTransport,
    authority: CertificateAuthority,
    is_tls: bool,  # noqa: FBT001 -- a parameter of the test
) -> None:
    """An upstream that takes a little now and then."""

    def script(connection: socket.socket) -> None:
        while connection.recv(4096):
            threading.Event().wait(0.001)

    serving = under_tls(authority.serving("127.0.0.1"), script) if is_tls else script
    with (
        served(serving) as (host, port),
        closing(open_transport(None, str(authority.file))) as transport,
    ):
        sender = Sender(transport, f"http{'s' * is_tls}://{host}:{port}/")
        with pytest.raises(TimedOut) as caught:
            sender.send(MUCH, wait=waits(first_byte_s=0.3))
        assert caught.value.wait == FIRST_BYTE


def slow_end(upstream: tuple[str, int]) -> Callable[[socket.socket], None]:
    """A script: pass on what comes, but the end of a large piece byte by byte."""

    def script(connection: socket.socket) -> None:
        with socket.create_connection(upstream, PATIENCE_S) as other:
            passing = threading.Thread(target=pass_on, args=(connection, other))
            passing.start()
            while data := other.recv(65536):
                at_once = len(data) if len(data) < 0x1000 else len(data) - 0x400
                connection.sendall(data[:at_once])
                for byte in data[at_once:]:
                    connection.sendall(bytes((byte,)))
                    threading.Event().wait(0.01)

    return script


def pass_on(source: socket.socket, to: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            to.sendall(data)


def test_record_of_tls_that_trickles_shares_one_wait(
    open_transport: OpenTransport, authority: CertificateAuthority
) -> None:
    """No byte of it can be read before its last one has come."""
    done = threading.Event()

    def script(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(CHUNKED + ONE_CHUNK)
        connection.sendall(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")
        done.wait(PATIENCE_S)

    with (
        served(under_tls(authority.serving("127.0.0.1"), script)) as address,
        served(slow_end(address)) as (host, port),
        closing(open_transport(None, str(authority.file))) as transport,
    ):
        sender = Sender(transport, f"https://{host}:{port}/")
        with pytest.raises(TimedOut) as caught:
            sender.send(wait=waits(next_byte_s=0.2))
        assert caught.value.wait == NEXT_BYTE
        done.set()


def test_tunnel_that_trickles_shares_one_wait(open_transport: OpenTransport) -> None:
    with (
        served(trickling(b"HTTP/1.1 200 OK\r\nX: ", b"1")) as (host, port),
        closing(open_transport(f"http://{host}:{port}")) as transport,
    ):
        with pytest.raises(TimedOut) as caught:
            Sender(transport, "https://api.example/").send(wait=waits(connect_s=0.1))
        assert caught.value.wait == CONNECT


def test_head_and_body_share_the_wait_for_the_first_byte(open_transport: OpenTransport) -> None:
    """The head takes most of it; a body within as much again is too late."""
    ended = threading.Event()

    def script(connection: socket.socket) -> None:
        read_head(connection)
        ended.wait(1.2)
        connection.sendall(CHUNKED)
        connection.settimeout(1.4)
        with suppress(ConnectionResetError):  # that is how it ends
            assert connection.recv(1) == b""
        ended.set()

    with sender_to(open_transport, script) as (sender, _):
        with pytest.raises(TimedOut) as caught:
            sender.send(wait=waits(first_byte_s=1.5))
        assert caught.value.wait == FIRST_BYTE
        assert ended.wait(PATIENCE_S)


def test_time_for_connecting_is_not_the_time_for_sending(open_transport: OpenTransport) -> None:
    """A large request to an upstream that takes it slowly."""

    def script(connection: socket.socket) -> None:
        read_head(connection)
        threading.Event().wait(1.2)
        left = len(MUCH)
        while left:
            left -= len(connection.recv(left))
        connection.sendall(OK)

    with sender_to(open_transport, script) as (sender, _):
        assert sender.send(MUCH, wait=waits(connect_s=1.0)) == (200, b"ok")


def test_time_of_a_slow_reader_is_not_the_upstreams(open_transport: OpenTransport) -> None:
    with (
        sender_to(open_transport, keeps_serving) as (sender, _),
        sender.reply(wait=waits(first_byte_s=1.0, next_byte_s=0.1)) as reply,
    ):
        reply.wait_for_body()
        threading.Event().wait(1.1)
        assert reply.read() == b"ok"
        assert reply.read() == b""


def test_reader_may_wait_for_less_than_the_next_byte(open_transport: OpenTransport) -> None:
    phase = PHASES["within the body"]
    with stuck_in(open_transport, phase) as stuck, stuck.sender.reply() as reply:
        assert reply.read() == b"ok"
        with pytest.raises(TimedOut) as caught:
            reply.read(0.05)
        assert caught.value.wait == NEXT_BYTE


def test_nothing_is_sent_after_the_end_or_a_stop(open_transport: OpenTransport) -> None:
    heads: list[bytes] = []

    def script(connection: socket.socket) -> None:
        while head := read_head(connection):
            heads.append(head)
            connection.sendall(OK)

    signal = StopSignal()
    signal.stop(REASON)
    with sender_to(open_transport, script) as (sender, _):
        for _ in range(2):  # over a new connection, and over a kept one
            with pytest.raises(TimedOut) as caught:
                sender.send(wait=waits(seconds=0))
            assert caught.value.wait == END
            with pytest.raises(Stopped) as stopped:
                sender.send(stop=signal)
            assert not stopped.value.was_sent
            assert sender.send() == (200, b"ok")
    assert len(heads) == 2


def test_stop_after_the_reply_does_not_harm_the_next_request(open_transport: OpenTransport) -> None:
    with sender_to(open_transport, keeps_serving) as (sender, _):
        signal = StopSignal()
        with sender.reply(stop=signal) as reply:
            reply.wait_for_body()
            assert reply.read() == b"ok"
            signal.stop(REASON)
            assert reply.read() == b""
        assert sender.send() == (200, b"ok")
        late = StopSignal()
        assert sender.send(stop=late) == (200, b"ok")
        late.stop(REASON)
        assert sender.send() == (200, b"ok")


def test_stop_ends_its_own_request_and_no_other(
    open_transport: OpenTransport, upstream: ScriptedUpstream
) -> None:
    """Of several threads that share a transport."""
    go_on, all_wait = threading.Event(), threading.Barrier(THREADS + 1)
    signals = [StopSignal() for _ in range(THREADS)]
    ends: dict[int, bytes | None] = {}

    def script(request: UpstreamRequest, connection: socket.socket) -> None:
        connection.sendall(OK[:-2])
        if request.method == "POST":
            go_on.wait(PATIENCE_S)
        connection.sendall(b"ok")

    def ask(number: int) -> None:
        for _ in range(3):
            assert sender.send(method="GET") == (200, b"ok")
        with sender.reply(stop=signals[number]) as reply:
            all_wait.wait(PATIENCE_S)
            try:
                ends[number] = reply.read()
            except Stopped:
                ends[number] = None

    upstream.script = script
    with closing(open_transport()) as transport:
        sender = Sender(transport, upstream.url)
        threads = [threading.Thread(target=ask, args=(number,)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        all_wait.wait(PATIENCE_S)
        for number in range(0, THREADS, 2):
            signals[number].stop(REASON)
            threads[number].join(PATIENCE_S)
        go_on.set()
        for thread in threads:
            thread.join(PATIENCE_S)
    assert ends == {number: b"ok" if number % 2 else None for number in range(THREADS)}
