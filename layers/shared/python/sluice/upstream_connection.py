"""The socket under requests: so that another thread can stop an answer, whatever it waits for.

requests gives no hold on a connection before its reply has a head, and urllib3's own
HTTPResponse.shutdown() takes the TLS layer away under a thread that reads: it would go on with
the ciphertext.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import sys
import threading
import time
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from sluice.upstream_socket import open_socket

if TYPE_CHECKING:
    from sluice.errors import SluiceError

# Its warnings quote URLs and headers, which have no place in a log; what matters is raised.
logging.getLogger("urllib3").setLevel(logging.ERROR)


class ConnectionWatch:
    """The connection that is asked now. One request at a time, as Lambda serves events.

    Other threads may call `stop`; all else is for the thread that asks.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: Any = None
        self._opening: socket.socket | None = None
        self._in_use = False
        self.was_kept = False
        """Whether the connection had been used before: then it may have been closed meanwhile."""
        self.is_asked = False
        """Whether there is a connection that the request goes out on."""
        self.asked_at = 0.0
        """When the request went out, by the monotonic clock, in seconds."""
        self.stopped: SluiceError | None = None

    def begin(self) -> None:
        """A request begins: forget the one before."""
        with self._lock:
            self._use(None)
            self._in_use, self.was_kept, self.is_asked, self.stopped = True, False, False, None

    def opening(self, connection: socket.socket) -> None:
        """The request will have this connection, which is being made.

        Raises the OSError of a connection that was shut down where the request has been stopped.
        """
        with self._lock:
            # By a descriptor of its own, for TLS will take that of `connection` away.
            opening = connection.dup()
            self._use(opening)
            self._opening, self.is_asked = opening, False
            if self.stopped is not None:
                raise ConnectionAbortedError

    def asked(self, connection: socket.socket, *, was_kept: bool) -> None:
        """The request has this connection."""
        with self._lock:
            self._use(connection)
            self.was_kept, self.is_asked, self.asked_at = was_kept, True, time.monotonic()
            if self.stopped is not None:
                self._shut_down()

    def end(self) -> None:
        """The answer is over: its connection may serve the next one, and is not to be stopped."""
        with self._lock:
            self._use(None)
            self._in_use = False

    def stop(self, reason: SluiceError) -> None:
        """End whatever the asking thread waits for; it then finds `reason` in `stopped`."""
        with self._lock:
            if self._in_use and self.stopped is None:
                self.stopped = reason
                self._shut_down()

    def set_timeout(self, seconds: float) -> None:
        """Wait no longer than this for each further piece."""
        with contextlib.suppress(OSError):  # closed already: nothing to wait for
            if self._socket is not None:
                self._socket.settimeout(seconds)

    def _use(self, connection: socket.socket | None) -> None:
        self._socket = connection
        if self._opening is not None:
            self._opening.close()
            self._opening = None

    def _shut_down(self) -> None:
        if self._socket is not None:
            # Below TLS, whose own shutdown() is not for other threads; urllib3's TLS within TLS
            # keeps its socket in an attribute.
            below = getattr(self._socket, "socket", self._socket)
            with contextlib.suppress(OSError):
                socket.socket.shutdown(below, socket.SHUT_RDWR)


def watched_session(watch: ConnectionWatch, hosts: int = 1) -> requests.Session:
    """A session that has nothing of this machine in it, and tells `watch` what it uses.

    No proxies of the environment, no .netrc (which would replace the key), no cookies: they would
    go from one user's request to the next one's. It keeps a connection to each of `hosts` hosts.
    """
    session = requests.Session()
    session.trust_env = False
    session.headers.clear()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = _WatchedAdapter(watch, hosts)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


class _WatchedAdapter(HTTPAdapter):
    """Gives urllib3 connections that tell a watch when they are used."""

    def __init__(self, watch: ConnectionWatch, hosts: int) -> None:
        self._pool_classes = _pool_classes(watch)
        super().__init__(pool_connections=hosts, pool_maxsize=1)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pool_classes

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = self._pool_classes
        return manager


def _pool_classes(watch: ConnectionWatch) -> dict[str, type[HTTPConnectionPool]]:
    class PlainPool(HTTPConnectionPool):
        ConnectionCls = _watched(HTTPConnection, watch)

    class TlsPool(HTTPSConnectionPool):
        ConnectionCls = _watched(HTTPSConnection, watch)

    return {"http": PlainPool, "https": TlsPool}


def _watched(kind: type[HTTPConnection], watch: ConnectionWatch) -> Any:
    class Watched(kind):  # type: ignore[valid-type, misc] # one text for both kinds
        was_asked = False

        def connect(self) -> None:
            super().connect()
            self.was_asked = False

        def _new_conn(self) -> socket.socket:
            return _opened(watch, self)

        def request(self, *args: Any, **kwargs: Any) -> None:
            _tell(watch, self)
            super().request(*args, **kwargs)

    return Watched


def _opened(watch: ConnectionWatch, connection: Any) -> socket.socket:
    """What urllib3's own `_new_conn` does; its errors are those that requests knows."""
    try:
        opened = open_socket(
            connection._dns_host,  # noqa: SLF001 -- urllib3 has it for its subclasses
            connection.port,
            connection.timeout,
            watch.opening,
        )
    except socket.gaierror as error:
        raise NameResolutionError(connection.host, connection, error) from error
    except TimeoutError as error:
        raise ConnectTimeoutError(connection, "There was no connection in time.") from error
    except (OSError, UnicodeError) as error:  # UnicodeError: a host that cannot be a name
        raise NewConnectionError(connection, "There was no connection.") from error
    sys.audit("http.client.connect", connection, connection.host, connection.port)
    return opened


def _tell(watch: ConnectionWatch, connection: Any) -> None:
    """A request is about to go out on the connection."""
    if connection.sock is None:
        connection.connect()
    # The time-out so far was that for connecting; a large request may take longer to send, and
    # the deadline ends it if need be.
    connection.timeout = None
    watch.asked(connection.sock, was_kept=connection.was_asked)
    connection.was_asked = True
