"""One request to an upstream and the reply to it, and what it means when either fails."""

from __future__ import annotations

import time

from sluice.deadline import reached
from sluice.errors import InvalidField, UpstreamBroken, UpstreamSilent, UpstreamUnreachable
from sluice.http.connection import origin_of
from sluice.http.http1 import HttpError, ReplyReader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.deadline import Deadline
    from sluice.http.connection import HttpConnection, Origin
    from sluice.http.http1 import ReplyHead
    from sluice.settings import Settings
    from sluice.stop_signal import StopSignal
    from sluice.upstream.connections import UpstreamConnections
    from sluice.upstream.providers import UpstreamRequest

AT_ONCE_S = 1.0  # in which a connection that was closed says so: a round trip, generously
MIN_TIMEOUT_S = 0.001  # 0 would not wait at all, not even for what is there
DEFAULT_HEADERS = {"accept": "*/*", "user-agent": "sluice"}


class Exchange:
    """Asks once. The deadline and a signal may end it until it has ended itself; call `end`."""

    def __init__(
        self,
        connections: UpstreamConnections,
        settings: Settings,
        deadline: Deadline,
        stop_signal: StopSignal | None,
    ) -> None:
        self._connections = connections
        self._settings = settings
        self._end = time.monotonic() + deadline.seconds_left()
        self._stop_signal = stop_signal
        self._origin: Origin | None = None
        self._connection: HttpConnection | None = None
        self._reader = ReplyReader("")
        self._first = b""
        self._asked_at = 0.0
        connections.begin()
        if stop_signal is not None:
            stop_signal.listen(connections.stop)

    @property
    def is_framed(self) -> bool:
        """Whether the reply's head says where its body ends."""
        return self._reader.is_framed

    def ask(self, request: UpstreamRequest) -> ReplyHead:
        """Send the request; returns when the head of the reply is there.

        A second time where the kept connection had been closed in the meantime: Lambda freezes the
        process between events, so this is what a rested connection comes to. Raises InvalidField,
        UpstreamUnreachable, UpstreamSilent, DeadlineReached, and the reason of a stop signal.
        """
        try:
            self._origin, target = origin_of(request.url)
        except UnicodeError as error:
            raise _unreachable() from error
        head = self._ask_over(self._connections.take(self._origin), request, target)
        if head is None:
            head = self._ask_over(self._connections.take(self._origin), request, target)
        assert head is not None  # noqa: S101 -- a new connection has not rested
        return head

    def wait_for_first_bytes(self) -> bytes:
        """The first bytes of the body; nothing where it has none. Raises as `read`.

        Head and body share the time for the first byte.
        """
        if not self._first:
            self._first = self.read(self._seconds_for_first_byte(), self._silent_before)
        first, self._first = self._first, b""
        return first

    def read_next(self) -> bytes:
        """The next bytes of the body; nothing at its end. Raises as `read`."""
        return self.read(self._settings.read_timeout_s, self._silent_between)

    def read(self, patience_s: float, silence: Callable[[], str]) -> bytes:
        """The next bytes of the body as soon as they come; nothing at its end.

        silence: says what it means that they do not. Raises UpstreamSilent, UpstreamBroken,
        DeadlineReached, and the reason of a stop signal.
        """
        try:
            while not self._reader.is_over:
                data = self._receive(patience_s)
                if data:
                    return data
        except TimeoutError as error:
            self._raise_why_it_ended()
            raise UpstreamSilent(silence()) from error
        except (OSError, HttpError) as error:
            self._raise_why_it_ended()
            message = "The upstream ended the connection in the middle of its answer."
            raise UpstreamBroken(message) from error
        return b""

    def end(self) -> None:
        """Nothing stops the connection any more; it is kept if the reply has been read whole."""
        if self._stop_signal is not None:
            self._stop_signal.forget(self._connections.stop)
        self._connections.end()
        if self._connection is None or self._origin is None:
            return
        if self._reader.may_keep_connection:
            self._connections.keep(self._origin, self._connection)
        else:
            self._connection.close(resets=not self._reader.is_over)
        self._connection = None

    def _ask_over(
        self, connection: HttpConnection, request: UpstreamRequest, target: str
    ) -> ReplyHead | None:
        """The head of the reply, or None where a kept connection turns out to have been closed."""
        self._connection, self._reader = connection, ReplyReader(request.method)
        had_rested = connection.was_used
        if not connection.is_open:
            self._open(connection)
        self._asked_at = time.monotonic()
        try:
            self._send(connection, request, target)
            while self._reader.head is None:
                self._first = self._receive(self._seconds_for_first_byte())
        except TimeoutError as error:
            self._raise_why_it_ended()
            raise UpstreamSilent(self._silent_before()) from error
        except (OSError, HttpError) as error:
            self._raise_why_it_ended()
            if self._reader.head is not None:
                return self._reader.head  # what is wrong came behind it, and is for `read` to tell
            connection.close()
            if had_rested and self._failed_at_once():
                return None
            raise _unreachable() from error
        return self._reader.head

    def _failed_at_once(self) -> bool:
        """One that fails later has had a server behind it, and a model that may have begun."""
        return not self._reader.has_begun and time.monotonic() - self._asked_at < AT_ONCE_S

    def _open(self, connection: HttpConnection) -> None:
        seconds = self._settings.connect_timeout_s
        try:
            connection.open(min(seconds, self._seconds_left()))
        except TimeoutError as error:
            self._raise_why_it_ended()
            raise UpstreamUnreachable(
                f"There was no connection to the upstream for {seconds:g} s "
                "(UPSTREAM_CONNECT_TIMEOUT)."
            ) from error
        except (OSError, UnicodeError) as error:
            self._raise_why_it_ended()
            raise _unreachable() from error

    def _send(self, connection: HttpConnection, request: UpstreamRequest, target: str) -> None:
        headers = {**DEFAULT_HEADERS, **request.headers}
        # A large body may take longer than connecting; only the deadline ends that.
        seconds = self._seconds_left()
        try:
            connection.request(request.method, target, headers, request.body, seconds)
        except ValueError as error:
            raise InvalidField("A header of the request cannot be sent on.") from error

    def _receive(self, patience_s: float) -> bytes:
        assert self._connection is not None  # noqa: S101 -- there is a request under way
        if self._reader.failure is not None:
            raise self._reader.failure
        data = self._connection.receive(min(patience_s, self._seconds_left()))
        if self._connections.stopped is not None:  # then what was read may end anywhere
            raise self._connections.stopped
        if not data:
            self._reader.end()
            return b""
        return self._reader.feed(data)

    def _seconds_left(self) -> float:
        """Raises DeadlineReached."""
        seconds = self._end - time.monotonic()
        if seconds <= 0:
            raise reached()
        return seconds

    def _seconds_for_first_byte(self) -> float:
        waited = time.monotonic() - self._asked_at
        return max(self._settings.first_byte_timeout_s - waited, MIN_TIMEOUT_S)

    def _silent_before(self) -> str:
        seconds = self._settings.first_byte_timeout_s
        return f"The upstream sent no first byte for {seconds:g} s (UPSTREAM_FIRST_BYTE_TIMEOUT)."

    def _silent_between(self) -> str:
        seconds = self._settings.read_timeout_s
        return f"The upstream paused in its answer for {seconds:g} s (UPSTREAM_READ_TIMEOUT)."

    def _raise_why_it_ended(self) -> None:
        """Where it was ended from here, by the signal or the deadline."""
        if self._connections.stopped is not None:
            raise self._connections.stopped from None
        self._seconds_left()


def _unreachable() -> UpstreamUnreachable:
    return UpstreamUnreachable(
        "The upstream cannot be reached: does anybody listen at OPENAI_BASE_URL, or at PROXY?"
    )
