"""Ports and HTTP servers. Ports are bound first, so that every part knows the real addresses."""

from __future__ import annotations

import errno
import logging
import os
import socket
from collections.abc import Callable

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from local.errors import ConfigurationError
from local.http.half_closing import HalfClosingServer, Handler
from local.limits import HTTP_HEAD_LINE_BYTES, HTTP_SHUTDOWN_S

_CLIENTS_FAULTS = (HttpProcessingError, web.RequestPayloadError, ConnectionError)

_BACKLOG = 512
"""Maximum connections that wait to be accepted: enough for a burst of clients."""


def bind(host: str, port: int, option: str) -> socket.socket:
    """Return a listening socket; port 0 takes a free one.

    Raises ConfigurationError, which names the command line's `option`.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigurationError(
                f"Port {port} on {host} is already in use. "
                f"Stop the other program, or choose another port with {option}."
            ) from error
        # create_server appends the address to its text; getaddrinfo's numbers are not errno's.
        number = error.errno or 0
        reason = os.strerror(number) if number > 0 else error.strerror
        raise ConfigurationError(f"Cannot listen on {host}, port {port}: {reason}.") from error
    except UnicodeError as error:
        raise ConfigurationError(
            f"Cannot listen on {host}: it must be a host name or an IP address."
        ) from error
    except OverflowError as error:
        raise ConfigurationError(f"{option} must be 0 to 65535 (got {port}).") from error


class _WithoutClientsFaults(logging.Filter):
    """Drops records of malformed requests, which may quote a key, and of clients that left."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, _CLIENTS_FAULTS)


def _http_logger() -> logging.Logger:
    # Its warning about sub-protocols quotes the client's offer, which may hold a key.
    logging.getLogger("aiohttp.websocket").setLevel(logging.ERROR)
    logger = logging.getLogger(__name__)
    if not logger.filters:
        logger.addFilter(_WithoutClientsFaults())
    return logger


def port_of(listening: socket.socket) -> int:
    return int(listening.getsockname()[1])


async def serve(
    handler: Handler, listening: socket.socket, on_malformed: Callable[[], None] = lambda: None
) -> web.ServerRunner:
    """Serve HTTP on `listening` until the runner's cleanup.

    `on_malformed` is called for each request that is not valid HTTP, such as a TLS handshake.
    """
    server = HalfClosingServer(
        handler,
        on_malformed,
        access_log=None,
        logger=_http_logger(),
        # The event and the signature need the bytes that were sent.
        auto_decompress=False,
        max_line_size=HTTP_HEAD_LINE_BYTES,
        max_field_size=HTTP_HEAD_LINE_BYTES,
    )
    runner = web.ServerRunner(server, shutdown_timeout=HTTP_SHUTDOWN_S)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    return runner


async def serve_app(app: web.Application, listening: socket.socket) -> web.AppRunner:
    """Serve an application on `listening` until the runner's cleanup."""
    runner = web.AppRunner(
        app, access_log=None, logger=_http_logger(), shutdown_timeout=HTTP_SHUTDOWN_S
    )
    await runner.setup()
    await web.SockSite(runner, listening).start()
    return runner
