"""AWS as moto plays it, one request at a time: moto's writes are not atomic, and DynamoDB's are."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

QUEUE = 1024
"""Connections that may wait to be accepted: of more clients at once the system drops the packets,
and they try again after seconds. werkzeug's own number is 128."""


class OneAtATime:
    """A WSGI application that answers one request after the other."""

    def __init__(self) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._lock = threading.Lock()

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        with self._lock:
            return list(self._moto(environ, start_response))


@contextmanager
def atomic_moto() -> Iterator[str]:
    """The URL of a server."""
    server = make_server(
        "127.0.0.1", 0, OneAtATime(), threaded=True, request_handler=MotoRequestHandler
    )
    server.socket.listen(QUEUE)
    thread = threading.Thread(target=server.serve_forever, name="moto", daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()
