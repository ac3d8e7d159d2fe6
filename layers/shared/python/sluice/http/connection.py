"""One HTTP/1.1 connection to one host, directly or through a proxy: opened, used, and stopped.

It moves bytes; what they mean is `http1`'s, and what to do about it its owner's.
"""

from __future__ import annotations

import binascii
import contextlib
import select
import socket
import sys
import time
from _thread import allocate_lock  # `threading` takes a start 1 ms

from sluice.http.http1 import HttpError, ReplyReader, request_head
from sluice.http.opening import open_socket
from sluice.http.urls import DEFAULT_PORTS, split_url
from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping
    from typing import Any

READ_BYTES = 64 * 1024  # at most this much of what has come, at once; never waited for
MAX_JOINED_BYTES = 64 * 1024
"""A request up to this size goes out as one: copying it costs less than a second system call."""
FIRST_REFUSAL = 300
LINGER_FOR_NOTHING = (1).to_bytes(4, sys.byteorder) + bytes(4)
"""struct linger: on, for 0 s. socket(7): closing then resets the connection."""


class Origin(NamedTuple):
    """Whom a connection is to. host: as in a URL, IPv6 addresses without brackets."""

    scheme: str
    host: str
    port: int

    @property
    def bracketed_host(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def authority(self) -> str:
        """What the Host header says."""
        is_default = self.port == DEFAULT_PORTS[self.scheme]
        return self.bracketed_host if is_default else f"{self.bracketed_host}:{self.port}"


class Proxy(NamedTuple):
    """An HTTP proxy. headers: what it wants to be told."""

    host: str
    port: int
    headers: Mapping[str, str]


class ProxyRefusedError(OSError):
    """A proxy will not connect to a host."""


def origin_of(url: str) -> tuple[Origin, str]:
    """Whom to connect to for a URL, and what to ask there: path and query.

    Raises UnicodeError for a host that cannot be a name, ValueError for no URL at all.
    """
    parts = split_url(url)
    host = parts.host if parts.host.isascii() else parts.host.encode("idna").decode()
    query = f"?{parts.query}" if parts.query else ""
    return Origin(parts.scheme, host, parts.port), f"{parts.path or '/'}{query}"


def proxy_of(url: str) -> Proxy:
    """The proxy at http://user:password@host:port."""
    parts = split_url(url)
    headers = {}
    if parts.userinfo is not None:
        from urllib.parse import unquote  # noqa: PLC0415 -- see urls

        user, _, password = parts.userinfo.partition(":")
        pair = f"{unquote(user)}:{unquote(password)}"
        encoded = binascii.b2a_base64(pair.encode(), newline=False).decode()
        headers["proxy-authorization"] = f"Basic {encoded}"  # RFC 7617
    return Proxy(parts.host, parts.port, headers)


class HttpConnection:
    """A connection to `origin`. One thread uses it; any thread may `shut_down`, once and for good.

    Times are in seconds. Whatever fails raises OSError, of which TimeoutError says that it took too
    long; a connection that failed is to be closed. trusted_certificates: see tls.client_context.
    """

    def __init__(
        self, origin: Origin, proxy: Proxy | None = None, trusted_certificates: str | None = None
    ) -> None:
        self.origin = origin
        self._proxy = proxy
        self._trusted_certificates = trusted_certificates
        self._socket: Any = None
        self._timeout: float | None = None
        self._lock = allocate_lock()
        self._below: socket.socket | None = None
        self._is_shut_down = False

    def open(self, timeout: float) -> None:
        """Connect; with a proxy's tunnel and a TLS handshake it takes no longer than `timeout`.

        Raises UnicodeError too, for a host that cannot be a name.
        """
        end = time.monotonic() + timeout
        to = self._proxy or self.origin
        self._socket = open_socket(to.host, to.port, timeout, self._begun)
        if self.origin.scheme == "https":
            if self._proxy is not None:
                self._open_tunnel(self._proxy, end)
            self._wrap_in_tls(end)

    def request(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes, timeout: float
    ) -> None:
        """Send a request for a path and query, its body within `timeout`.

        Where the other side hangs up before it has all, there may be a reply that says why: it, or
        that there is none, is found by `receive`. Raises ValueError for what cannot be sent.
        """
        authority = self.origin.authority
        if self._proxy is not None and self.origin.scheme == "http":
            target = f"http://{authority}{target}"  # RFC 9112 section 3.2.2
            headers = {**headers, **self._proxy.headers}
        head = request_head(method, target, authority, headers, body)
        self._set_timeout(timeout)
        with contextlib.suppress(*self._hang_ups()):
            for piece in (head, body) if len(body) > MAX_JOINED_BYTES else (head + body,):
                self._socket.sendall(piece)

    def receive(self, timeout: float) -> bytes:
        """What has come, waited for if nothing has; nothing when the other side has closed."""
        if timeout != self._timeout:
            self._set_timeout(timeout)
        data: bytes = self._socket.recv(READ_BYTES)
        return data

    def is_stale(self) -> bool:
        """Whether something came unasked: the other side has closed it, or does not speak HTTP."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))

    def shut_down(self) -> None:
        """End whatever the using thread waits for, from another one. Nothing can be sent after."""
        with self._lock:
            self._is_shut_down = True
            if self._below is not None:
                with contextlib.suppress(OSError):
                    self._below.shutdown(socket.SHUT_RDWR)

    def close(self, *, resets: bool = False) -> None:
        """End it. resets: the other side learns at once that nobody reads any more.

        After a plain close, one that waits to send more would wait for a minute.
        """
        with self._lock:
            below, self._below = self._below, None
        if resets and below is not None:
            with contextlib.suppress(OSError):
                below.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_FOR_NOTHING)
        for each in (self._socket, below):
            if each is not None:
                each.close()
        self._socket = None

    def __del__(self) -> None:
        self.close()  # who forgets a connection means no other

    def _begun(self, connection: socket.socket) -> None:
        """A connection is being made. What TLS needs is made ready while the other side answers."""
        with self._lock:
            if self._below is not None:
                self._below.close()
            # By a descriptor of its own, for TLS will take that of `connection` away.
            self._below = connection.dup()
            if self._is_shut_down:
                raise ConnectionAbortedError
        if self.origin.scheme == "https":
            self._tls_context()

    def _tls_context(self) -> ssl.SSLContext:
        from sluice.http.tls import client_context  # noqa: PLC0415 -- see there

        return client_context(self._trusted_certificates)

    def _hang_ups(self) -> tuple[type[OSError], ...]:
        """What sending raises where the other side has closed the connection."""
        if self.origin.scheme == "http":
            return (ConnectionError,)
        from sluice.http.tls import HANG_UPS  # noqa: PLC0415 -- see there

        return HANG_UPS

    def _wrap_in_tls(self, end: float) -> None:
        # Certificates name a host without the dot at its end.
        host = self.origin.host.rstrip(".").encode("ascii")
        # Not while wrapping: a socket that was cut off by then would pass without a handshake.
        self._socket = self._tls_context().wrap_socket(
            self._socket, server_hostname=host, do_handshake_on_connect=False
        )
        self._set_timeout(_seconds_to(end))
        self._socket.do_handshake()

    def _open_tunnel(self, proxy: Proxy, end: float) -> None:
        """RFC 9110 section 9.3.6."""
        target = f"{self.origin.bracketed_host}:{self.origin.port}"
        self._set_timeout(_seconds_to(end))
        self._socket.sendall(request_head("CONNECT", target, target, proxy.headers, b""))
        reader = ReplyReader("CONNECT")
        try:
            while reader.head is None:
                data = self.receive(_seconds_to(end))
                reader.feed(data) if data else reader.end()
        except HttpError as error:
            raise ProxyRefusedError("The proxy does not speak HTTP.") from error
        if reader.head.status >= FIRST_REFUSAL:
            raise ProxyRefusedError(f"The proxy refuses with status {reader.head.status}.")

    def _set_timeout(self, seconds: float) -> None:
        if seconds != self._timeout:  # a system call
            self._socket.settimeout(seconds)
            self._timeout = seconds


def _seconds_to(end: float) -> float:
    """Until a moment of the monotonic clock. Raises TimeoutError once it has come."""
    seconds = end - time.monotonic()
    if seconds <= 0:
        raise TimeoutError("timed out")
    return seconds
