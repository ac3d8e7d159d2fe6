"""Connections that are stopped by another thread, or fail, at each stage of their life."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from sluice.http.connection import (
    HttpConnection,
    Origin,
    Proxy,
)
from sluice.http.http1 import HttpError
from tests.scripted_upstream import PATIENCE_S
from tests.sluice.http.connection_asking import (
    MUCH,
    ask,
    connected,
    keeps_serving,
)
from tests.sluice.http.served_connections import read_head, served

if TYPE_CHECKING:
    from collections.abc import Callable

    Address = tuple[str, int]


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

    with served(script) as address, connected(address) as connection:
        connection.open(PATIENCE_S)
        connection.request("GET", "/", {}, b"", PATIENCE_S)
        assert full.wait(PATIENCE_S)
        connection.shut_down()
        while connection.receive(PATIENCE_S):
            pass
        connection.close(resets=True)
        assert gone.wait(PATIENCE_S)


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    with connected(address) as connection, pytest.raises(ConnectionRefusedError):
        connection.open(PATIENCE_S)
