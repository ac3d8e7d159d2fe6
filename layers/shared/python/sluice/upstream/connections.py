"""The connections to the upstreams: kept from request to request, and stopped by other threads."""

from __future__ import annotations

from _thread import allocate_lock  # `threading` takes a start 1 ms

from sluice.http.connection import HttpConnection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sluice.errors import SluiceError
    from sluice.http.connection import Origin, Proxy


class UpstreamConnections:
    """A connection to each origin, for one request at a time, as Lambda serves events.

    Nothing of this machine is in them: no proxies of the environment, no .netrc, no cookies. Other
    threads may call `stop`; all else is for the thread that asks. trusted_certificates: see
    tls.client_context.
    """

    def __init__(self, proxy: Proxy | None = None, trusted_certificates: str | None = None) -> None:
        self._proxy = proxy
        self._trusted_certificates = trusted_certificates
        self._kept: dict[Origin, HttpConnection] = {}
        self._lock = allocate_lock()
        self._in_use = False
        self._used: HttpConnection | None = None
        self.stopped: SluiceError | None = None
        """Why the request under way was stopped."""

    def begin(self) -> None:
        """A request begins: forget the one before."""
        with self._lock:
            self._in_use, self._used, self.stopped = True, None, None

    def end(self) -> None:
        """The request is over: its connection may serve the next one, and is not to be stopped."""
        with self._lock:
            self._in_use, self._used = False, None

    def stop(self, reason: SluiceError) -> None:
        """End whatever the asking thread waits for; it then finds `reason` in `stopped`."""
        with self._lock:
            if self._in_use and self.stopped is None:
                self.stopped = reason
                if self._used is not None:
                    self._used.shut_down()

    def take(self, origin: Origin) -> HttpConnection:
        """The connection for the request under way: one that was kept, or one yet to be opened."""
        connection = self._kept.pop(origin, None)
        if connection is not None and connection.is_stale():
            connection.close()
            connection = None
        if connection is None:
            connection = HttpConnection(origin, self._proxy, self._trusted_certificates)
        with self._lock:
            self._used = connection
            if self.stopped is not None:
                connection.shut_down()
        return connection

    def keep(self, origin: Origin, connection: HttpConnection) -> None:
        """Keep a connection that `take` gave, for the next request; `end` comes first."""
        self._kept[origin] = connection
