"""Connections on real sockets: a script for each that comes in, and a proxy that is one."""

from __future__ import annotations

import select
import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from tests.scripted_upstream import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Script = Callable[[socket.socket], object]
    Address = tuple[str, int]


@contextmanager
def served(script: Script) -> Iterator[Address]:
    """An address at which `script` serves one connection after another, and closes each.

    It is over when the connections are: what a test opens under TLS, it has to close.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    current: list[socket.socket] = []
    server = threading.Thread(target=_serve, args=(listener, script, current), daemon=True)
    server.start()
    try:
        yield listener.getsockname()
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        for connection in current:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        server.join(PATIENCE_S)
        listener.close()
        assert not server.is_alive()


def _serve(listener: socket.socket, script: Script, current: list[socket.socket]) -> None:
    with suppress(OSError):  # of `accept`, when the test is over
        while True:
            connection, _ = listener.accept()
            current[:] = [connection]
            with connection, suppress(OSError):
                connection.settimeout(PATIENCE_S)
                # What Nagle's algorithm holds back is lost when a connection is reset.
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                script(connection)


def read_head(connection: socket.socket) -> bytes:
    """Up to the empty line and no further. Nothing when the other side has closed."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        if not byte:
            return b""
        head += byte
    return head


def says(reply: bytes) -> Script:
    """A script: read a head, and answer with this."""

    def script(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(reply)
        connection.recv(1)

    return script


def under_tls(context: ssl.SSLContext, script: Script) -> Script:
    def tls_script(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as encrypted:
            script(encrypted)

    return tls_script


class RealProxy:
    """A script: an HTTP proxy that finds whatever it is asked for at one address."""

    def __init__(self, upstream: Address) -> None:
        self._upstream = upstream
        self.heads: list[bytes] = []
        self.passed = bytearray()
        """What went through it to the upstream."""

    def __call__(self, connection: socket.socket) -> None:
        if not (head := read_head(connection)):
            return
        self.heads.append(head)
        with socket.create_connection(self._upstream, PATIENCE_S) as upstream:
            if head.startswith(b"CONNECT "):
                connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                self.passed += (request := _origin_form(head))
                upstream.sendall(request)
            copy_both_ways(connection, upstream, self.passed)


def _origin_form(head: bytes) -> bytes:
    method, url, rest = head.split(b" ", 2)
    assert url.startswith(b"http://")
    kept = [line for line in rest.split(b"\r\n") if not line.lower().startswith(b"proxy-")]
    return b"%b /%b %b" % (method, url.split(b"/", 3)[3], b"\r\n".join(kept))


def copy_both_ways(client: socket.socket, upstream: socket.socket, passed: bytearray) -> None:
    """Until one side ends; the other hears of it. By one thread, for `ssl` wants no more."""
    while True:
        for source in select.select([client, upstream], [], [], PATIENCE_S)[0]:
            to = upstream if source is client else client
            data = source.recv(65536)
            while isinstance(source, ssl.SSLSocket) and source.pending():
                data += source.recv(65536)
            if not data:
                with suppress(OSError):
                    to.shutdown(socket.SHUT_WR)
                return
            if source is client:
                passed += data
            to.sendall(data)
