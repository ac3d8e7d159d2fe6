"""An @connections endpoint that takes every frame and drops it."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
TAKEN = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class ConnectionsApi:
    """Counts posts and bytes. port: on loopback. pause_s: before each reply."""

    def __init__(self, pause_s: float) -> None:
        self.port = 0
        self._pause_s = pause_s
        self.posts = 0
        self.size = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Python 3.11 reports connections that are open at the end of the loop as errors.
        ended = (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError)
        with contextlib.suppress(*ended):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = LENGTH.search(head)
                self.size += len(await reader.readexactly(int(length[1]) if length else 0))
                self.posts += 1
                if self._pause_s:
                    await asyncio.sleep(self._pause_s)
                writer.write(TAKEN)
        writer.close()


@asynccontextmanager
async def connections_api(
    pause_s: float = 0.0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[ConnectionsApi]:
    api = ConnectionsApi(pause_s)
    server = await asyncio.start_server(api.serve, "127.0.0.1", 0, ssl=tls)
    api.port = server.sockets[0].getsockname()[1]
    try:
        yield api
    finally:
        server.close()
