"""How tests send requests over a transport, and the upstreams that they send them to."""

from __future__ import annotations

import time
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from sluice.http.connection import proxy_of
from sluice.http.transport import HttpRequest, HttpTransport, Waits
from tests.scripted_upstream import PATIENCE_S
from tests.sluice.http.served_connections import read_head, served

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Mapping

    from sluice.stop_signal import StopSignal
    from sluice.upstream.transports import Reply, Transport

    Script = Callable[[socket.socket], object]
    OpenTransport = Callable[..., Transport]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
MUCH = b"x" * 20_000_000  # more than all buffers between two sockets hold


def built_in(proxy: str | None = None, trusted: str | None = None, **rest: Any) -> Transport:
    return HttpTransport(proxy_of(proxy) if proxy else None, trusted, **rest)


def by_requests(proxy: str | None = None, trusted: str | None = None, **rest: Any) -> Transport:
    """Imported when it is chosen, as UpstreamClient does."""
    from sluice.upstream.transports.requests import RequestsTransport  # noqa: PLC0415 -- see above

    return RequestsTransport(proxy, trusted, **rest)


class Received(NamedTuple):
    status: int
    body: bytes


class Sender:
    """Sends as a client does: each time over the connections of the times before."""

    def __init__(self, transport: Transport, url: str) -> None:
        self.transport = transport
        self.url = url

    def send(self, body: bytes = b"", **options: Any) -> Received:
        with self.reply(body, **options) as reply:
            return Received(reply.status, read_all(reply))

    @contextmanager
    def reply(
        self,
        body: bytes = b"",
        *,
        method: str = "POST",
        stop: StopSignal | None = None,
        wait: Waits | None = None,
        headers: Mapping[str, str] | None = None,
        tenant: tuple[str | None, ...] = (),
    ) -> Iterator[Reply]:
        request = HttpRequest(method, self.url, headers or {"accept": "*/*"}, body, tenant)
        reply = self.transport.send(request, wait or waits(), stop)
        try:
            yield reply
        finally:
            reply.close()


def read_all(reply: Reply) -> bytes:
    reply.wait_for_body()
    body = b""
    while data := reply.read():
        body += data
    return body


def waits(
    connect_s: float = PATIENCE_S,
    first_byte_s: float = PATIENCE_S,
    next_byte_s: float = PATIENCE_S,
    seconds: float = 900.0,
) -> Waits:
    return Waits(connect_s, first_byte_s, next_byte_s, time.monotonic() + seconds)


class Upstream:
    """A script that runs another one for each connection, and the last one for all others."""

    def __init__(self, *scripts: Script) -> None:
        self._scripts = scripts
        self.connections = 0

    def __call__(self, connection: socket.socket) -> None:
        self.connections += 1
        self._scripts[min(self.connections, len(self._scripts)) - 1](connection)


@contextmanager
def sender_to(open_transport: OpenTransport, *scripts: Script) -> Iterator[tuple[Sender, Upstream]]:
    """Sends to an upstream of these scripts; its transport is closed in the end."""
    upstream = Upstream(*scripts)
    with served(upstream) as (host, port), closing(open_transport()) as transport:
        yield Sender(transport, f"http://{host}:{port}/v1"), upstream


def keeps_serving(connection: socket.socket) -> None:
    """A script: the same short reply to each request without a body."""
    while b"content-length: 0" in read_head(connection).lower():
        connection.sendall(OK)


def takes_a_body(connection: socket.socket) -> None:
    """A script: take MUCH and reply."""
    read_head(connection)
    left = len(MUCH)
    while left:
        left -= len(connection.recv(left))
    connection.sendall(OK)


def serves_once_and(then: Script) -> Script:
    def script(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(OK)
        then(connection)

    return script


def sends(*pieces: bytes) -> Script:
    """A script: read a head, send these, each by itself, and hang up."""

    def script(connection: socket.socket) -> None:
        read_head(connection)
        for piece in pieces:
            connection.sendall(piece)

    return script


def unwraps(connection: socket.socket) -> None:
    """A script: close as TLS wants it. The other side does not answer."""
    connection.settimeout(0)
    with suppress(OSError):
        connection.unwrap()  # type: ignore[attr-defined] # an SSLSocket
