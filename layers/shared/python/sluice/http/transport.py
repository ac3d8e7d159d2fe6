"""Sends one HTTP/1.1 request and gives its reply. Connections are kept from request to request.

This module knows nothing of models or AWS: its few errors become SluiceErrors where it is used.
"""

from __future__ import annotations

import time
from _thread import allocate_lock  # `threading` takes a start 1 ms

from sluice.http.connection import HttpConnection, origin_of
from sluice.http.http1 import HttpError, ReplyReader
from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sluice.http.connection import Origin, Proxy
    from sluice.stop_signal import StopSignal


CONNECT, FIRST_BYTE, NEXT_BYTE, END = "connect", "first byte", "next byte", "end"
"""What TimedOut says was over: one of the three waits, or all of the time."""
AT_ONCE_S = 1.0
"""Time in which a kept connection that was closed fails, in seconds: a round trip, generously."""
MAX_AHEAD_S = 5.0
"""How long a connection that was opened ahead may wait for its request, in seconds."""
MIN_TIMEOUT_S = 0.001  # 0 would not wait at all, not even for what is there


class TransportError(Exception):
    """A request failed. was_sent: whether the other side may have received all of it."""

    def __init__(self, *, was_sent: bool) -> None:
        super().__init__()
        self.was_sent = was_sent


class CannotConnect(TransportError):
    """There is no connection: refused, unknown host, untrusted certificate, unwilling proxy."""


class Stopped(TransportError):
    """Another thread has stopped the request."""


class TimedOut(TransportError):
    """wait: CONNECT, FIRST_BYTE, NEXT_BYTE or END."""

    def __init__(self, wait: str, *, was_sent: bool) -> None:
        super().__init__(was_sent=was_sent)
        self.wait = wait


class ReplyBroken(TransportError):
    """The connection ended, or brought something other than HTTP, within the reply's body."""


class NoReply(TransportError):
    """The same before the reply's headers. has_begun: whether any byte of a reply has come."""

    def __init__(self, *, has_begun: bool) -> None:
        super().__init__(was_sent=True)
        self.has_begun = has_begun


class HttpRequest(NamedTuple):
    """One request. `headers` has neither Host nor Content-Length: the transport adds them."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


class Waits(NamedTuple):
    """Maximum waits, in seconds; each also ends at `end`, a moment of time.monotonic().

    connect_s: for all addresses, the proxy's tunnel and the TLS handshake together. first_byte_s:
    from there to the first byte of the body. next_byte_s: for each pause within the body.
    """

    connect_s: float
    first_byte_s: float
    next_byte_s: float
    end: float


class HttpTransport:
    """Sends requests, from several threads if need be, and keeps their connections.

    Nothing of the machine is used: no proxies of the environment, no .netrc, no cookies.
    proxy, trusted_certificates: see HttpConnection. max_rest_s: how long a kept connection may rest
    by `clock`, which must go on while Lambda freezes the process; None for no limit. may_repeat:
    whether a request may be sent again where a kept connection had been closed in the meantime.
    """

    def __init__(
        self,
        proxy: Proxy | None = None,
        trusted_certificates: str | None = None,
        *,
        max_rest_s: float | None = None,
        may_repeat: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._proxy = proxy
        self._trusted_certificates = trusted_certificates
        self._max_rest_s = max_rest_s
        self._may_repeat = may_repeat
        self._clock = clock
        self._lock = allocate_lock()
        self._ahead: tuple[HttpConnection, float] | None = None
        self._kept: dict[Origin, list[tuple[HttpConnection, float]]] = {}

    def send(self, request: HttpRequest, waits: Waits, stop: StopSignal | None = None) -> HttpReply:
        """Send a request; returns when the headers of its reply are there. Close the reply.

        Lambda freezes the process between events, so a kept connection may have been closed. Where
        it fails at once, and before any byte of a reply, the request is sent over a new one.
        Raises TransportError, and ValueError for a header that cannot be sent.
        """
        try:
            origin, target = origin_of(request.url)
        except UnicodeError as error:
            raise CannotConnect(was_sent=False) from error
        reply = HttpReply(request.method, waits, stop, self._keep)
        try:
            kept = self._take(origin)
            if kept is None or not reply.begin(kept, request, target, may_fail=self._may_repeat):
                new = HttpConnection(origin, self._proxy, self._trusted_certificates)
                reply.connect(new)
                reply.begin(new, request, target)
        except BaseException:
            reply.close()
            raise
        return reply

    def open_ahead(self, url: str, timeout_s: float) -> None:
        """Open a connection for the next request to `url`, if that comes within MAX_AHEAD_S.

        A failure is not reported: that request finds it again.
        """
        try:
            connection = HttpConnection(origin_of(url)[0], self._proxy, self._trusted_certificates)
            connection.open(timeout_s)
        except (OSError, UnicodeError):
            return
        with self._lock:
            self._ahead = connection, self._clock()

    def close(self) -> None:
        """Close the connections that are kept now."""
        with self._lock:
            kept, self._kept, self._ahead = self._kept, {}, None
        for connections in kept.values():
            for connection, _ in connections:
                connection.close()

    def _take(self, origin: Origin) -> HttpConnection | None:
        """The kept connection that rested for the shortest time; None where none is usable."""
        ahead = self._take_ahead(origin)
        if ahead is not None:
            return ahead
        while True:
            with self._lock:
                kept = self._kept.get(origin)
                if not kept:
                    return None
                connection, kept_at = kept.pop()
            rest_s = self._clock() - kept_at
            has_rested = self._max_rest_s is not None and rest_s > self._max_rest_s
            if not (has_rested or connection.is_stale()):
                return connection
            connection.close()

    def _take_ahead(self, origin: Origin) -> HttpConnection | None:
        with self._lock:
            if self._ahead is None or self._ahead[0].origin != origin:
                return None
            (connection, opened_at), self._ahead = self._ahead, None
        # It is readable although it is not stale: after a handshake, TLS servers send tickets.
        if self._clock() - opened_at < MAX_AHEAD_S:
            return connection
        connection.close()
        return None

    def _keep(self, connection: HttpConnection) -> None:
        with self._lock:
            self._kept.setdefault(connection.origin, []).append((connection, self._clock()))


class HttpReply:
    """The reply to one request. One thread reads it; call `close` in the end."""

    def __init__(
        self,
        method: str,
        waits: Waits,
        stop: StopSignal | None,
        keep: Callable[[HttpConnection], None],
    ) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        """Names are in lower case."""
        self._waits, self._stop, self._keep = waits, stop, keep
        self._connection: HttpConnection | None = None
        self._reader = ReplyReader(method)
        self._held = b""
        self._begun_at = 0.0
        self._was_sent = False
        self._is_stopped = False
        if stop is not None:
            stop.listen(self._end_now)

    def wait_for_body(self) -> None:
        """Return when the body has begun or ended: `read` gives its first bytes at once.

        Headers and body share the wait for the first byte. Raises TransportError.
        """
        if self._held:
            return
        self._held = self._next_bytes(self._first_byte_wait_s(), FIRST_BYTE)
        if not self._held and not self._reader.is_framed:
            # Where a body ends with its connection, an empty one is one that was cut short.
            raise ReplyBroken(was_sent=True)

    def read(self, max_wait_s: float | None = None) -> bytes:
        """The next bytes of the body as soon as they come; nothing at its end.

        max_wait_s: instead of the wait for the next byte. Raises TransportError.
        """
        if self._held:
            data, self._held = self._held, b""
            return data
        return self._next_bytes(max_wait_s or self._waits.next_byte_s, NEXT_BYTE)

    def close(self) -> None:
        """Keep the connection where the reply was read to its end; otherwise reset it."""
        if self._stop is not None:
            self._stop.forget(self._end_now)
            self._stop = None
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._reader.may_keep_connection and not self._is_stopped:
            self._keep(connection)
        else:
            connection.close(resets=not self._reader.is_over)

    def connect(self, connection: HttpConnection) -> None:
        """Open a connection for `begin`. For HttpTransport."""
        self._use(connection)
        try:
            connection.open(min(self._waits.connect_s, self._seconds_left()))
        except (OSError, UnicodeError) as error:
            self._raise_own_reason(error, CONNECT)
            raise CannotConnect(was_sent=False) from error

    def begin(
        self,
        connection: HttpConnection,
        request: HttpRequest,
        target: str,
        *,
        may_fail: bool = False,
    ) -> bool:
        """Send the request and wait for the headers. For HttpTransport.

        Returns False where may_fail and the connection turns out to have been closed before.
        """
        self._use(connection)
        self._begun_at = time.monotonic()
        # A large body may take longer than connecting: only `end` limits it.
        seconds = self._seconds_left()
        try:
            connection.request(request.method, target, request.headers, request.body, seconds)
            self._was_sent = True
            while self._reader.head is None:
                self._held = self._receive(self._first_byte_wait_s())
        except (OSError, HttpError) as error:
            self._raise_own_reason(error, FIRST_BYTE)
            if may_fail and self._failed_at_once():
                connection.close()
                return False
            if self._reader.head is None:
                raise NoReply(has_begun=self._reader.has_begun) from error
            # Only the body is wrong: `read` says so.
        self.status, self.headers = self._reader.head.status, self._reader.head.headers
        return True

    def _use(self, connection: HttpConnection) -> None:
        self._connection = connection
        if self._is_stopped:  # `_end_now` sets this first and looks for a connection then
            connection.shut_down()

    def _next_bytes(self, max_wait_s: float, wait: str) -> bytes:
        try:
            while not self._reader.is_over:
                data = self._receive(max_wait_s)
                if data:
                    return data
        except (OSError, HttpError) as error:
            self._raise_own_reason(error, wait)
            raise ReplyBroken(was_sent=True) from error
        return b""

    def _receive(self, max_wait_s: float) -> bytes:
        """The bytes of the body in what comes next, which may be none."""
        reader, connection = self._reader, self._connection
        assert connection is not None  # noqa: S101 -- the reply is not closed
        if reader.failure is not None:
            raise reader.failure
        data = connection.receive(min(max_wait_s, self._seconds_left()))
        if self._is_stopped:  # then what was read may end anywhere
            raise Stopped(was_sent=self._was_sent)
        if not data:
            reader.end()
            return b""
        return reader.feed(data)

    def _failed_at_once(self) -> bool:
        """A connection that fails later had a server, and maybe a model at work."""
        return not self._reader.has_begun and time.monotonic() - self._begun_at < AT_ONCE_S

    def _first_byte_wait_s(self) -> float:
        waited = time.monotonic() - self._begun_at
        return max(self._waits.first_byte_s - waited, MIN_TIMEOUT_S)

    def _seconds_left(self) -> float:
        """Until the end. Raises TimedOut."""
        seconds = self._waits.end - time.monotonic()
        if seconds <= 0:
            raise TimedOut(END, was_sent=self._was_sent)
        return seconds

    def _raise_own_reason(self, error: Exception, wait: str) -> None:
        """Return where `error` is the other side's doing, and not this one's."""
        if self._is_stopped:
            raise Stopped(was_sent=self._was_sent) from None
        self._seconds_left()
        if isinstance(error, TimeoutError):
            raise TimedOut(wait, was_sent=self._was_sent) from error

    def _end_now(self, _reason: object) -> None:
        """Called by another thread, at most once, and not after `close`."""
        self._is_stopped = True
        connection = self._connection
        if connection is not None:
            connection.shut_down()
