"""Opens a TCP connection that another thread can stop meanwhile."""

from __future__ import annotations

import errno
import os
import select
import socket
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Address = tuple[Any, ...]


def open_socket(
    host: str,
    port: int,
    timeout_s: float,
    watch: Callable[[socket.socket], None],
    resolve: Callable[..., list[Any]] = socket.getaddrinfo,
) -> socket.socket:
    """A connection to the first address of `host` that accepts one; `timeout_s` is for all.

    watch: called with each socket once its connection has begun; shutting it down ends that.
    resolve: finds the addresses. Raises OSError: TimeoutError if the last address did not answer,
    gaierror for an unknown host.
    """
    end = time.monotonic() + timeout_s
    # As bytes: for a text, Python loads its tables of letters, in 4 ms.
    name = host.encode() if host.isascii() else host
    found = resolve(name, port, type=socket.SOCK_STREAM)
    failure = OSError("The host has no address.")
    for index, (family, kind, protocol, _, address) in enumerate(found):
        # A share of the time, so that a silent address leaves some to the others.
        share = max(0.0, end - time.monotonic()) / (len(found) - index)
        try:  # on a machine without IPv6, such an address fails here, at once
            connection = socket.socket(family, kind, protocol)
        except OSError as error:
            failure = error
            continue
        try:
            _connect(connection, address, share, watch)
        except OSError as error:
            connection.close()
            failure = error
        else:
            connection.settimeout(timeout_s)
            return connection
    raise failure


def _connect(
    connection: socket.socket,
    address: Address,
    timeout_s: float,
    watch: Callable[[socket.socket], None],
) -> None:
    # With Nagle's algorithm a body would wait some 40 ms for the acknowledgment of its head.
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.settimeout(0)
    end = time.monotonic() + timeout_s
    begun = connection.connect_ex(address)
    if begun not in (0, errno.EINPROGRESS):
        raise OSError(begun, os.strerror(begun))
    watch(connection)  # not earlier: only what has begun can be shut down
    poll = select.poll()
    poll.register(connection, select.POLLOUT)
    if not poll.poll(max(0.0, end - time.monotonic()) * 1000):  # `watch` may take a while
        raise TimeoutError("timed out")
    failed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if failed:
        raise OSError(failed, os.strerror(failed))
    connection.getpeername()  # raises if it was shut down without another sign
