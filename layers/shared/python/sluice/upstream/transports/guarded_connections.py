"""urllib3's connections, each of whose requests has a guard: it ends what takes too long.

For transports.requests.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from http.client import HTTPMessage, HTTPResponse, IncompleteRead
from typing import Any

import socks
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.contrib.socks import SOCKSConnection, SOCKSHTTPSConnection

from sluice.http.connection import LINGER_FOR_NOTHING
from sluice.http.errors import CONNECT, END, FIRST_BYTE, SENDING, Stopped, TimedOut
from sluice.http.http1 import (
    MAX_SIZE_LINE_BYTES,
    ReplyReader,
    chunk_size,
    is_body_read,
)
from sluice.http.opening import open_socket
from sluice.http.tls import HANG_UPS
from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.http.errors import TransportError
    from sluice.http.transport import HttpRequest, Waits
    from sluice.stop_signal import StopSignal

SOCKS_PORT = 1080
MAX_SENT_BYTES = 64 * 1024  # by one call: the guard waits for each anew
MAX_LINE_BYTES = 8 * 1024  # by one call; http1 joins the pieces of a longer line


class Rest(NamedTuple):
    """How long connections rest between two requests, at least. See HttpTransport."""

    min_s: float
    clock: Callable[[], float]


class Guard:
    """Ends one request that is stopped, or takes too long, by shutting down its TCP socket.

    By a thread of its own: timeouts of sockets begin anew with every byte, and a name in a header
    may come one byte at a time.
    """

    def __init__(
        self, request: HttpRequest, waits: Waits, stop: StopSignal | None, rest: Rest
    ) -> None:
        self.request = request
        self.waits = waits
        self.rest = rest
        self.is_in_step = True
        """Whether the server surely takes what follows on the connection for the next request."""
        self.needs_new_connection = False
        self.has_kept_connection = False
        self.begun_at: float | None = None
        """When the request began to be sent, by time.monotonic()."""
        self.has_reply_begun = False
        self.was_sent = False
        """Whether the other side may have all of the request."""
        self._stop = stop
        self._reason: TransportError | None = None
        self._socket: socket.socket | None = None
        self._changed = threading.Condition()
        self._is_over = False
        self._wait, self._moment = END, waits.end
        threading.Thread(target=self._watch_time, name="transport", daemon=True).start()
        if stop is not None:
            stop.listen(self._end_stopped)

    def expect(self, wait: str, seconds: float = float("inf")) -> None:
        """Something must happen within so many seconds, or by the end of all waits."""
        moment = time.monotonic() + seconds
        with self._changed:
            is_end = moment >= self.waits.end
            self._wait, self._moment = (END, self.waits.end) if is_end else (wait, moment)
            self._changed.notify()

    def connect(self) -> None:
        """A connection is looked for, or opened."""
        self.begun_at = None
        self.expect(CONNECT, self.waits.connect_s)

    def watch(self, below: socket.socket) -> None:
        """Shut down this one from now on."""
        with self._changed:
            self._socket = below
            if self._reason is not None:
                raise ConnectionAbortedError

    def begin(self, *, has_kept_connection: bool) -> None:
        """The request is being sent."""
        self.has_kept_connection = has_kept_connection
        self.begun_at = time.monotonic()
        self.expect_next(FIRST_BYTE)

    def expect_next(self, wait: str) -> None:
        """The first byte of the reply must come in time; SENDING: and more must be taken soon."""
        assert self.begun_at is not None  # noqa: S101 -- see `begin`
        seconds = self.begun_at + self.waits.first_byte_s - time.monotonic()
        is_pause = wait == SENDING and self.waits.next_byte_s < seconds
        self.expect(*(SENDING, self.waits.next_byte_s) if is_pause else (FIRST_BYTE, seconds))

    def let_go(self) -> None:
        """Do not touch the socket from now on: it is closed, or may serve another request."""
        with self._changed:
            self._socket = None

    def end(self, wait: str) -> None:
        """A wait was too long."""
        self._end_by(TimedOut(wait, was_sent=False))

    def raise_own_reason(self) -> None:
        """Return where nothing on this side has ended the request."""
        if self._reason is not None:
            self._reason.was_sent = self.was_sent
            raise self._reason from None

    def close(self, *, resets: bool) -> None:
        """Nothing ends the request any more. resets: as HttpConnection.close."""
        if self._stop is not None:
            self._stop.forget(self._end_stopped)
            self._stop = None
        with self._changed:
            self._is_over = True
            self._changed.notify()
            if resets:
                self._reset_on_close()

    def _end_stopped(self, _reason: object) -> None:
        self._end_by(Stopped(was_sent=False))

    def _end_by(self, reason: TransportError) -> None:
        with self._changed:
            if self._reason is None and not self._is_over:
                self._reason = reason
                self._reset_on_close()
                if self._socket is not None:
                    with contextlib.suppress(OSError):
                        self._socket.shutdown(socket.SHUT_RDWR)

    def _reset_on_close(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_FOR_NOTHING)

    def _watch_time(self) -> None:
        with self._changed:
            while not self._is_over and (seconds := self._moment - time.monotonic()) > 0:
                self._changed.wait(seconds)
            self.end(self._wait)


class Current(threading.local):
    """For each thread: the guard of the request that it sends."""

    guard: Guard | None = None


current = Current()


class StrictReply(HTTPResponse):
    """Its head and the sizes of its chunks are read by http1, as those of the other transport.

    Its parent takes half a head for a whole one, and drops what follows an invalid line.
    """

    def begin(self) -> None:
        guard = current.guard
        assert guard is not None  # noqa: S101 -- `_send_guarded` sets it
        method, body = guard.request.method, guard.request.body
        guard.has_reply_begun = bool(self.fp.peek(1))
        reader = ReplyReader(method)
        while reader.head is None:
            line = self.fp.readline(MAX_LINE_BYTES)
            reader.feed(line) if line else reader.end()
        head = reader.head
        self.code = self.status = head.status
        self.version, self.reason = 11, ""
        self.headers = self.msg = HTTPMessage()
        for name, value in head.headers.items():
            self.headers[name] = value
        self.length = 0 if reader.is_over else reader.length
        self.chunked = not reader.is_over and reader.is_framed and reader.length is None
        self.chunk_left = None
        self.will_close = False  # or its connection would be out of the guard's reach
        is_read = is_body_read(method, body, head.status)
        guard.is_in_step = guard.is_in_step and is_read and reader.allows_another

    def _read_next_chunk_size(self) -> int:
        line = self.fp.readline(MAX_SIZE_LINE_BYTES)
        if not line.endswith(b"\n"):
            raise IncompleteRead(b"")
        return chunk_size(line.rstrip(b"\r\n"))


class Guarded(HTTPConnection):
    """A connection whose requests are ended by their guards, whatever they wait for."""

    response_class = StrictReply
    _below: socket.socket | None = None
    _guard: Guard | None = None
    _kept_at = 0.0

    def _new_conn(self) -> socket.socket:
        return self._opened(self._dns_host, self.port)

    def _opened(self, host: str, port: int) -> socket.socket:
        guard = self._guard = current.guard
        assert guard is not None  # noqa: S101 -- `_send_guarded` sets it
        try:
            opened = open_socket(host.strip("[]"), port, guard.waits.connect_s, self._begun)
        except TimeoutError:
            guard.end(CONNECT)
            raise
        opened.settimeout(None)  # the guard ends what takes too long
        return opened

    def _begun(self, connection: socket.socket) -> None:
        assert self._guard is not None  # noqa: S101 -- see _opened
        self._close_below()
        self._below = connection.dup()  # by a descriptor of its own, for TLS takes that one away
        self._guard.watch(self._below)

    def _tunnel(self) -> None:
        super()._tunnel()
        if self._guard is not None:  # http.client takes the connection's end for the head's
            self._guard.raise_own_reason()

    def request(self, *arguments: Any, **options: Any) -> None:
        is_kept = self.sock is not None and self._guard is None
        if self.sock is None:
            self.connect()
        guard = self._guard = current.guard
        assert guard is not None  # noqa: S101 -- `_send_guarded` sets it
        if self._below is not None:
            guard.watch(self._below)
        guard.begin(has_kept_connection=is_kept)
        try:
            super().request(*arguments, **options)
        except HANG_UPS as error:
            raise BrokenPipeError from error  # urllib3 then looks for a reply that says why
        finally:
            guard.was_sent = True
            guard.expect_next(FIRST_BYTE)

    def send(self, data: Any) -> None:
        """In pieces, so that the guard knows that the other side takes them."""
        guard = self._guard
        if guard is None or guard.begun_at is None:  # for a proxy
            super().send(data)
            return
        for start in range(0, len(data), MAX_SENT_BYTES):
            if start and self._is_readable():
                guard.is_in_step = False
            guard.expect_next(SENDING)
            super().send(data[start : start + MAX_SENT_BYTES])

    def _is_readable(self) -> bool:
        """Whether a reply, or a part of TLS, has come before all of the request was sent."""
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return bool(poll.poll(0))

    @property
    def is_connected(self) -> bool:
        guard = current.guard
        is_usable = guard is None or not guard.needs_new_connection
        return is_usable and super().is_connected

    @property
    def must_rest(self) -> bool:
        """Whether the current request must take another connection."""
        guard = current.guard
        assert guard is not None  # noqa: S101 -- `_send_guarded` sets it
        rest_s = guard.rest.clock() - self._kept_at
        return self.sock is not None and rest_s < guard.rest.min_s

    def let_go(self) -> None:
        """The reply is over: the next request has a guard of its own."""
        guard, self._guard = self._guard, None
        if guard is not None:
            guard.let_go()
            self._kept_at = guard.rest.clock()
            if not guard.is_in_step:
                self.close()

    def close(self) -> None:
        self.let_go()
        super().close()
        self._close_below()

    def _close_below(self) -> None:
        below, self._below = self._below, None
        if below is not None:
            below.close()


class _Connected(socket.socket):
    """A socket whose connection is there before PySocks asks for it."""

    def connect(self, address: Any, /) -> None: ...


class _SocksSocket(socks.socksocket, _Connected):
    """Speaks SOCKS over a connection to the proxy."""


class GuardedSocks(Guarded, SOCKSConnection):
    def _new_conn(self) -> socks.socksocket:
        options: Any = self._socks_options
        host, port = options["proxy_host"], int(options["proxy_port"] or SOCKS_PORT)
        opened = self._opened(host, port)
        family, kind, protocol = opened.family, opened.type, opened.proto
        sock = _SocksSocket(family, kind, protocol, fileno=opened.detach())
        user, password = options["username"], options["password"]
        sock.set_proxy(options["socks_version"], host, port, options["rdns"], user, password)
        try:
            sock.connect((self.host, self.port))
        except OSError:
            sock.close()
            raise
        return sock


class GuardedTls(Guarded, HTTPSConnection): ...


class GuardedSocksTls(GuardedSocks, SOCKSHTTPSConnection): ...
