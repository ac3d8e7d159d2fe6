"""One HTTP/1.1 connection to one host, directly or through a proxy.

It moves bytes. `http1` knows what they mean, and `transport` what to do about it.
"""

from __future__ import annotations

import binascii
import contextlib
import select
import socket
import sys
import time
from _thread import allocate_lock, start_new_thread  # `threading` takes 1 ms to import

from sluice.http.http1 import HttpError, ReplyReader, request_head
from sluice.http.opening import open_socket
from sluice.http.urls import DEFAULT_PORTS, split_url
from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping
    from typing import Any

READ_BYTES = 64 * 1024  # maximum per read; a read does not wait for more than has come
MAX_JOINED_BYTES = 64 * 1024
"""Maximum size of a request that is sent by one system call: copying it costs less than another."""
MIN_TIMEOUT_S = 0.001  # 0 would not wait at all, not even for what is there
FIRST_REFUSAL = 300
SSL_ERROR_WANT_READ = 2
"""OpenSSL's number: `ssl`, which has it too, is slow to import."""
LINGER_FOR_NOTHING = (1).to_bytes(4, sys.byteorder) + bytes(4)
"""struct linger: on, for 0 s. socket(7): closing then resets the connection."""


class Origin(NamedTuple):
    """Where a connection goes. host: as in a URL, IPv6 addresses without brackets."""

    scheme: str
    host: str
    port: int

    @property
    def bracketed_host(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        is_default = self.port == DEFAULT_PORTS[self.scheme]
        return self.bracketed_host if is_default else f"{self.bracketed_host}:{self.port}"


class Proxy(NamedTuple):
    """An HTTP proxy. headers: for the proxy itself, such as its login."""

    host: str
    port: int
    headers: Mapping[str, str]


class Opening(NamedTuple):
    """When a connection was opened, by time.monotonic(). ended: after the TLS handshake, if any."""

    began: float
    connected: float
    ended: float


class ProxyRefusedError(OSError):
    """A proxy refuses to connect to a host."""


def origin_of(url: str) -> tuple[Origin, str]:
    """Where to connect for a URL, and the target to request there: path and query.

    Raises UnicodeError for an invalid host name, ValueError for an invalid URL.
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
    """A connection to `origin`, to be opened once. Any thread may `shut_down` it.

    Times are in seconds. Failures are OSErrors, timeouts are TimeoutErrors; close a connection that
    failed. trusted_certificates: see tls.client_context.
    """

    def __init__(
        self, origin: Origin, proxy: Proxy | None = None, trusted_certificates: str | None = None
    ) -> None:
        self.origin = origin
        self.opening: Opening | None = None
        self._proxy = proxy
        self._trusted_certificates = trusted_certificates
        self._socket: Any = None
        self._timeout: float | None = None
        self._lock = allocate_lock()
        self._below: socket.socket | None = None
        self._is_shut_down = False

    def open(self, timeout: float) -> None:
        """Connect; `timeout` includes a proxy's tunnel and the TLS handshake.

        Also raises UnicodeError, for an invalid host name.
        """
        began = time.monotonic()
        end = began + timeout
        to = self._proxy or self.origin
        self._socket = open_socket(to.host, to.port, timeout, self._begun)
        connected = time.monotonic()
        if self.origin.scheme == "https":
            if self._proxy is not None:
                self._open_tunnel(self._proxy, end)
            self._wrap_in_tls(end)
        self.opening = Opening(began, connected, time.monotonic())

    def request(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes,
        end: float,
        max_pause_s: float,
    ) -> bytes:
        """Send a request; returns what had already come by then, for servers may reply early.

        target: path and query. end: a moment of time.monotonic(). max_pause_s: how long the other
        side may take nothing of it. If it hangs up in the middle, its reply may say why: read it by
        `receive`. Raises ValueError for what cannot be sent.
        """
        authority = self.origin.authority
        if self._proxy is not None and self.origin.scheme == "http":
            target = f"http://{authority}{target}"  # RFC 9112 section 3.2.2
            headers = {**headers, **self._proxy.headers}
        head = request_head(method, target, authority, headers, body)
        early, has_begun = b"", False
        with contextlib.suppress(*self._hang_ups()):
            for piece in (head, body) if len(body) > MAX_JOINED_BYTES else (head + body,):
                left = memoryview(piece)
                while left:
                    if has_begun and not early:
                        early = self._receive_waiting()
                    self._set_timeout(min(max_pause_s, _seconds_to(end)))
                    left = left[self._socket.send(left) :]
                    has_begun = True
        return early

    def receive(self, timeout: float) -> bytes:
        """The next bytes, as soon as there are any; nothing if the other side has closed."""
        if timeout != self._timeout:
            self._set_timeout(timeout)
        data: bytes = self._socket.recv(READ_BYTES)
        return data

    def is_stale(self) -> bool:
        """Whether an idle connection is readable: it was closed, or is not HTTP."""
        return self._is_readable()

    def has_spoken(self) -> bool:
        """Whether a connection without a request was closed, or the other side has sent anything.

        TLS servers send tickets after the handshake. They make it readable, but are nothing.
        """
        if not self._is_readable():
            return False
        self._set_timeout(0)
        try:
            self._socket.recv(1)
        except OSError as error:
            return error.errno != SSL_ERROR_WANT_READ
        return True

    def _receive_waiting(self) -> bytes:
        """What has come, if anything: a part of TLS, such as a session's ticket, is nothing."""
        if not self._is_readable():
            return b""
        try:
            return self.receive(MIN_TIMEOUT_S)
        except TimeoutError:
            return b""

    def _is_readable(self) -> bool:
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))

    def shut_down(self) -> None:
        """End what the using thread waits for, from any thread and for good."""
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
        self.close()  # nobody else can

    def _begun(self, connection: socket.socket) -> None:
        """A connection has begun. TLS is imported while the other side answers."""
        with self._lock:
            if self._below is not None:
                self._below.close()
            # By a second descriptor: TLS takes over that of `connection`.
            self._below = connection.dup()
            if self._is_shut_down:
                raise ConnectionAbortedError
        if self.origin.scheme == "https":
            self._tls_context()

    def _tls_context(self) -> ssl.SSLContext:
        from sluice.http.tls import client_context  # noqa: PLC0415 -- see there

        return client_context(self._trusted_certificates)

    def _hang_ups(self) -> tuple[type[OSError], ...]:
        """The errors of sending when the other side has closed the connection."""
        if self.origin.scheme == "http":
            return (ConnectionError,)
        from sluice.http.tls import HANG_UPS  # noqa: PLC0415 -- see there

        return HANG_UPS

    def _wrap_in_tls(self, end: float) -> None:
        # Certificates name a host without a dot at its end.
        host = self.origin.host.rstrip(".").encode("ascii")
        # Not while wrapping: a socket that is cut off by then would pass without a handshake.
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


class ConnectionAhead:
    """A connection that a thread opens for a request which is still to come.

    until: the moment, by some clock, until which a request may take it. Nobody else uses
    `connection` before `wait` returns. If no request comes, it closes once nobody refers to this.
    """

    def __init__(self, connection: HttpConnection, timeout: float, until: float) -> None:
        self.connection = connection
        self._until = until
        self._failure: Exception | None = None
        self._is_opening = allocate_lock()
        self._is_opening.acquire()
        start_new_thread(self._open, (timeout,))

    def serves(self, origin: Origin, now: float) -> bool:
        """Whether a request to `origin` may take it: it may still open, or is open and unused."""
        is_opening = self._is_opening.locked()
        if self._failure is not None or now >= self._until or self.connection.origin != origin:
            return False
        return is_opening or not self.connection.has_spoken()

    def wait(self, timeout: float) -> None:
        """Return when it is open. Raises as HttpConnection.open."""
        if not self._is_opening.acquire(timeout=timeout):
            self.connection.shut_down()
            self._is_opening.acquire()  # until the thread no longer uses what the caller closes
            self._failure = TimeoutError("timed out")
        self._is_opening.release()
        if self._failure is not None:
            raise self._failure

    def _open(self, timeout: float) -> None:
        try:
            self.connection.open(timeout)
        except Exception as error:  # noqa: BLE001 -- `wait` raises it
            self._failure = error
            self.connection.close()
        finally:
            self._is_opening.release()


def _seconds_to(end: float) -> float:
    """Seconds until a moment of the monotonic clock. Raises TimeoutError after it."""
    seconds = end - time.monotonic()
    if seconds <= 0:
        raise TimeoutError("timed out")
    return seconds
