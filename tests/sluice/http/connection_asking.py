"""How tests ask over one connection, and what answers them."""

from __future__ import annotations

import socket
import ssl
import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from sluice.http.connection import (
    HttpConnection,
    Origin,
    Proxy,
)
from sluice.http.http1 import ReplyReader
from tests.scripted_upstream import PATIENCE_S
from tests.sluice.certificate_authority import CertificateAuthority
from tests.sluice.http.served_connections import read_head

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


def reset(connection: socket.socket) -> None:
    """Close it without a farewell."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
