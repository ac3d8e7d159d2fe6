"""Sends one HTTP/1.1 request and gives its reply. Connections are kept from request to request.

This module knows nothing of models or AWS.
"""

from __future__ import annotations

import time
from _thread import allocate_lock  # `threading` takes a start 1 ms
from contextlib import suppress

from sluice.http.connection import MIN_TIMEOUT_S, ConnectionAhead, HttpConnection, origin_of
from sluice.http.errors import (
    CONNECT,
    END,
    FIRST_BYTE,
    NEXT_BYTE,
    SENDING,
    CannotConnect,
    ReplyBroken,
    Stopped,
    TimedOut,
    TransportError,
    broken_reply,
    cannot_connect,
    no_reply,
)
from sluice.http.http1 import HttpError, ReplyReader, is_body_read
from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sluice.http.connection import Opening, Origin, Proxy
    from sluice.stop_signal import StopSignal

    Tenant = tuple[str | None, ...]
    _Kept = tuple[HttpConnection, Tenant, float]
    """The last: since when."""

AT_ONCE_S = 1.0
"""Time in which a kept connection that was closed fails, in seconds: a round trip, generously."""
MAX_AHEAD_S = 5.0
"""How long a connection that is opened ahead may wait for its request, in seconds."""
MAX_KEPT_CONNECTIONS = 32
"""Maximum number of connections that are kept. Each has two file descriptors, and a process on
Lambda may have 1,024."""


class HttpRequest(NamedTuple):
    """One request. `headers` has neither Host nor Content-Length: the transport adds them.

    tenant: whose it is. Tenants share no connection: where a server sends more replies than it got
    requests, which no client can tell from answers, they stay with their own.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    tenant: Tenant = ()


class Waits(NamedTuple):
    """Maximum waits, in seconds; each also ends at `end`, a moment of time.monotonic().

    connect_s: for all addresses, the proxy's tunnel and the TLS handshake together. first_byte_s:
    from there to the first byte of the body. next_byte_s: for each pause within the body, framing
    included, and for each in which the other side takes nothing of the request.
    """

    connect_s: float
    first_byte_s: float
    next_byte_s: float
    end: float


class HttpTransport:
    """Sends requests, from several threads if need be, and keeps their connections.

    Nothing of the machine is used: no proxies of the environment, no .netrc, no cookies.
    proxy, trusted_certificates: see HttpConnection. min_rest_s, max_rest_s: how long a kept
    connection must rest and may rest by `clock`, which must go on while Lambda freezes the process;
    None for no limit. What a server sends meanwhile ends the connection. may_repeat:
    whether a request may be sent again where a kept connection had been closed in the meantime.
    reads_bodies: whether the servers read the body of each request, as AWS's do. Of others, a
    connection is closed where they may have left one: see is_body_read.
    """

    def __init__(
        self,
        proxy: Proxy | None = None,
        trusted_certificates: str | None = None,
        *,
        min_rest_s: float = 0.0,
        max_rest_s: float | None = None,
        may_repeat: bool = True,
        reads_bodies: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._proxy = proxy
        self._trusted_certificates = trusted_certificates
        self._min_rest_s = min_rest_s
        self._max_rest_s = max_rest_s
        self._may_repeat = may_repeat
        self._reads_bodies = reads_bodies
        self._clock = clock
        self._lock = allocate_lock()
        self._ahead: ConnectionAhead | None = None
        self._kept: list[_Kept] = []

    def send(self, request: HttpRequest, waits: Waits, stop: StopSignal | None = None) -> HttpReply:
        """Send a request; returns when the headers of its reply are there. Close the reply.

        Lambda freezes the process between events, so a kept connection may have been closed. Where
        it fails at once, and before any byte of a reply, the request is sent over a new one.
        Raises TransportError, and ValueError for a header that cannot be sent.
        """
        try:
            origin, target = origin_of(request.url)
        except UnicodeError as error:
            raise CannotConnect from error
        reply = HttpReply(request, waits, stop, self._keep, reads_bodies=self._reads_bodies)
        try:
            kept = self._take(origin, request.tenant)
            if kept is None and (ahead := self._take_ahead(origin)):
                kept = ahead.connection
                reply.connect(kept, ahead.wait)
            if kept is None or not reply.begin(kept, target, may_fail=self._may_repeat):
                new = HttpConnection(origin, self._proxy, self._trusted_certificates)
                reply.connect(new, new.open)
                reply.begin(new, target)
        except BaseException as error:
            reply.close()
            if isinstance(error, TransportError):
                error.opening = reply.opening
            raise
        return reply

    def open_ahead(self, url: str, timeout_s: float, tenant: Tenant = ()) -> None:
        """Let a thread open a connection for the next request to `url`, unless there is one.

        tenant: whose kept connection would do. The new one is nobody's until a request takes it,
        within MAX_AHEAD_S. If it cannot be opened, the request finds out by itself.
        """
        try:
            origin, _ = origin_of(url)
        except UnicodeError:
            return
        with self._lock:
            now, ahead = self._clock(), self._ahead
            if (ahead and ahead.serves(origin, now)) or self._rested(origin, tenant):
                return
            new = HttpConnection(origin, self._proxy, self._trusted_certificates)
            with suppress(RuntimeError):  # no thread can be started: the request opens its own
                self._ahead = ConnectionAhead(new, timeout_s, now + MAX_AHEAD_S)

    def close(self) -> None:
        """Close the connections that are kept now."""
        with self._lock:
            kept, self._kept, self._ahead = self._kept, [], None
        for connection, _, _ in kept:
            connection.close()

    def _take(self, origin: Origin, tenant: Tenant) -> HttpConnection | None:
        with self._lock:
            kept = self._rested(origin, tenant)
            if kept is not None:
                self._kept.remove(kept)
        return kept and kept[0]

    def _take_ahead(self, origin: Origin) -> ConnectionAhead | None:
        with self._lock:
            ahead, self._ahead = self._ahead, None
        return ahead if ahead and ahead.serves(origin, self._clock()) else None

    def _rested(self, origin: Origin, tenant: Tenant) -> _Kept | None:
        """The usable connection that rested for the shortest time, if there is one."""
        while kept := self._last_kept(origin, tenant):
            connection, _, kept_at = kept
            rest_s = self._clock() - kept_at
            has_rested = self._max_rest_s is not None and rest_s > self._max_rest_s
            if not (has_rested or connection.is_stale()):
                return kept
            self._kept.remove(kept)
            connection.close()
        return None

    def _last_kept(self, origin: Origin, tenant: Tenant) -> _Kept | None:
        latest = self._clock() - self._min_rest_s
        for kept in reversed(self._kept):
            connection, owner, kept_at = kept
            if owner == tenant and connection.origin == origin and kept_at <= latest:
                return kept
        return None

    def _keep(self, connection: HttpConnection, tenant: Tenant) -> None:
        with self._lock:
            self._kept.append((connection, tenant, self._clock()))
            surplus = self._kept[:-MAX_KEPT_CONNECTIONS]
            del self._kept[:-MAX_KEPT_CONNECTIONS]
        for oldest, _, _ in surplus:
            oldest.close()


class HttpReply:
    """The reply to one request. One thread reads it; call `close` in the end."""

    def __init__(
        self,
        request: HttpRequest,
        waits: Waits,
        stop: StopSignal | None,
        keep: Callable[[HttpConnection, Tenant], None],
        *,
        reads_bodies: bool = False,
    ) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        """Names are in lower case."""
        self.opening: Opening | None = None
        """When its connection was opened, for this request or an earlier one."""
        self._request, self._waits, self._stop, self._keep = request, waits, stop, keep
        self._reads_bodies = reads_bodies
        self._connection: HttpConnection | None = None
        self._reader = ReplyReader(request.method)
        self._held = b""
        self._begun_at = 0.0
        self._was_sent = False
        self._came_early = False
        self._is_stopped = False
        if stop is not None:
            stop.listen(self._end_now)

    def wait_for_body(self) -> None:
        """Return when the body has begun or ended: `read` gives its first bytes at once.

        Headers and body share the wait for the first byte. Raises TransportError.
        """
        if self._held:
            return
        self._held = self._read_body(self._first_byte_wait_s(), FIRST_BYTE)
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
        return self._read_body(max_wait_s or self._waits.next_byte_s, NEXT_BYTE)

    def close(self) -> None:
        """Keep the connection where the reply was read to its end; otherwise reset it."""
        if self._stop is not None:
            self._stop.forget(self._end_now)
            self._stop = None
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._may_keep_connection():
            self._keep(connection, self._request.tenant)
        else:
            connection.close(resets=not self._reader.is_over)

    def connect(self, connection: HttpConnection, opens: Callable[[float], None]) -> None:
        """Open a connection for `begin`, by `opens` within its seconds. For HttpTransport."""
        self._use(connection)
        try:
            opens(min(self._waits.connect_s, self._seconds_left()))
        except (OSError, UnicodeError) as error:
            self._raise_own_reason(error, CONNECT)
            raise cannot_connect(error) from error

    def begin(self, connection: HttpConnection, target: str, *, may_fail: bool = False) -> bool:
        """Send the request and wait for the headers. For HttpTransport.

        Returns False where may_fail and the connection turns out to have been closed before.
        """
        self._use(connection)
        self.opening = connection.opening
        self._begun_at = time.monotonic()
        try:
            self._send(connection, target)
            while self._reader.head is None:
                self._held = self._next_bytes(self._first_byte_wait_s(), of_head=True)
        except (OSError, HttpError) as error:
            self._raise_own_reason(error, FIRST_BYTE)
            if may_fail and self._failed_at_once():
                connection.close()
                return False
            if self._reader.head is None:
                raise no_reply(error, has_begun=self._reader.has_begun) from error
            # Only the body is wrong: `read` says so.
        self.status, self.headers = self._reader.head.status, self._reader.head.headers
        return True

    def _send(self, connection: HttpConnection, target: str) -> None:
        method, _, headers, body, _ = self._request
        self._seconds_left()
        first_byte = self._begun_at + self._waits.first_byte_s
        end, max_pause_s = min(first_byte, self._waits.end), self._waits.next_byte_s
        try:
            early = connection.request(method, target, headers, body, end, max_pause_s)
        except TimeoutError as error:
            is_pause = time.monotonic() < end
            self._raise_own_reason(error, SENDING if is_pause else FIRST_BYTE)
            raise
        self._was_sent = True
        self._came_early = bool(early)
        if early:
            self._held = self._reader.feed(early)

    def _use(self, connection: HttpConnection) -> None:
        self._connection = connection
        if self._is_stopped:  # `_end_now` sets this first and looks for a connection then
            connection.shut_down()

    def _read_body(self, max_wait_s: float, wait: str) -> bytes:
        if self._reader.is_over:
            return b""
        try:
            return self._next_bytes(max_wait_s)
        except (OSError, HttpError) as error:
            self._raise_own_reason(error, wait)
            raise broken_reply(error) from error

    def _next_bytes(self, max_wait_s: float, *, of_head: bool = False) -> bytes:
        """The next bytes of the body, nothing at its end; of_head: or what came with the head.

        All that is no body shares one wait: framing, informational replies, trailers.
        """
        left_s = max_wait_s
        while True:
            began = time.monotonic()
            is_first = left_s < self._waits.end - began
            data = self._receive(left_s if is_first else self._seconds_left(began))
            if data or self._reader.is_over or (of_head and self._reader.head is not None):
                return data
            left_s -= time.monotonic() - began
            if left_s <= 0:
                raise TimeoutError

    def _receive(self, timeout_s: float) -> bytes:
        """The bytes of the body in what comes next, which may be none."""
        reader, connection = self._reader, self._connection
        assert connection is not None  # noqa: S101 -- the reply is not closed
        if reader.failure is not None:
            raise reader.failure
        data = connection.receive(timeout_s)
        if self._is_stopped:  # then what was read may end anywhere
            raise Stopped(was_sent=self._was_sent)
        if not data:
            reader.end()
            return b""
        return reader.feed(data)

    def _may_keep_connection(self) -> bool:
        method, _, _, body, _ = self._request
        is_read = self._reads_bodies or is_body_read(method, body, self.status)
        is_in_step = is_read and not self._came_early
        return is_in_step and self._reader.may_keep_connection and not self._is_stopped

    def _failed_at_once(self) -> bool:
        """A connection that fails later had a server, and maybe a model at work."""
        return not self._reader.has_begun and time.monotonic() - self._begun_at < AT_ONCE_S

    def _first_byte_wait_s(self) -> float:
        waited = time.monotonic() - self._begun_at
        return max(self._waits.first_byte_s - waited, MIN_TIMEOUT_S)

    def _seconds_left(self, now: float | None = None) -> float:
        """Until the end. Raises TimedOut."""
        seconds = self._waits.end - (time.monotonic() if now is None else now)
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
