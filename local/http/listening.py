"""Ports and HTTP servers: bound first, so that every part knows the real addresses."""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from local.errors import ConfigurationError, PortInUseError
from local.limits import HTTP_HEAD_LINE_BYTES, HTTP_SHUTDOWN_S

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

_BACKLOG = 512
"""Connections that wait to be accepted: a burst of clients should not see a refusal."""


def bind(host: str, port: int, option: str) -> socket.socket:
    """Return a listening socket; port 0 takes a free one.

    Raises PortInUseError, naming the command line's `option`, or ConfigurationError.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortInUseError(host, port, option) from error
        reason = error.strerror or "unknown address"
        raise ConfigurationError(f"cannot listen on {host}, port {port}: {reason}") from error
    except UnicodeError as error:
        raise ConfigurationError(f"cannot listen on {host}: expected a name or address") from error
    except OverflowError as error:
        raise ConfigurationError(f"{option} must be 0 to 65535, found {port}") from error


class _WithoutBadRequests(logging.Filter):
    """Leaves out what clients sent wrong: such a record quotes the line, which may hold a key."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, HttpProcessingError)


def _http_logger() -> logging.Logger:
    # Its warning about sub-protocols quotes what was offered, and a key may be offered there.
    logging.getLogger("aiohttp.websocket").setLevel(logging.ERROR)
    logger = logging.getLogger(__name__)
    if not logger.filters:
        logger.addFilter(_WithoutBadRequests())
    return logger


def port_of(listening: socket.socket) -> int:
    """Return the port that a listening socket has got."""
    return int(listening.getsockname()[1])


async def serve(handler: Handler, listening: socket.socket) -> web.ServerRunner:
    """Serve HTTP on `listening`; end it with the runner's cleanup."""
    server = web.Server(
        handler,
        access_log=None,
        logger=_http_logger(),
        # The event and the signature are about the bytes that were sent.
        auto_decompress=False,
        max_line_size=HTTP_HEAD_LINE_BYTES,
        max_field_size=HTTP_HEAD_LINE_BYTES,
    )
    runner = web.ServerRunner(server, shutdown_timeout=HTTP_SHUTDOWN_S)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    return runner


async def serve_app(app: web.Application, listening: socket.socket) -> web.AppRunner:
    """Serve an application on `listening`; end it with the runner's cleanup."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=HTTP_SHUTDOWN_S)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    return runner
