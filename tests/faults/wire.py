"""HTTP/1.1 messages as bytes, and connections that end badly."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

MAX_HEAD_BYTES = 4 * 1024 * 1024
"""Maximum head or line of a chunk, in bytes: asyncio's limit for one search."""

SLOW_BUFFER_BYTES = 8 * 1024

LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
CHUNKED = re.compile(rb"(?i)\r\ntransfer-encoding: *chunked")
LOST = (asyncio.IncompleteReadError, ConnectionError, OSError)
"""What reading and writing raise when the other side is gone."""

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class HangUp(Exception):
    """A fault has ended the connection."""


async def read_head(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


async def read_body(reader: asyncio.StreamReader, head: bytes) -> AsyncIterator[bytes]:
    """Yield the body as it arrives, with the framing of its chunks."""
    if CHUNKED.search(head):
        size = 1
        while size:
            line = await reader.readuntil(b"\r\n")
            size = int(line, 16)
            # Trailers end like a head; without any, the blank line alone is left.
            yield line + (await reader.readexactly(size + 2) if size else await _trailers(reader))
        return
    found = LENGTH.search(head)
    left = int(found[1]) if found else 0
    while left:
        data = await reader.read(min(left, 1 << 16))
        if not data:
            raise ConnectionResetError
        left -= len(data)
        yield data


async def _trailers(reader: asyncio.StreamReader) -> bytes:
    lines = b""
    while not lines.endswith(b"\r\n\r\n") and lines != b"\r\n":
        lines += await reader.readuntil(b"\r\n")
    return lines


async def read_whole(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Return the head and the body of one message."""
    head = await read_head(reader)
    return head, b"".join([piece async for piece in read_body(reader, head)])


async def write(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


async def drip(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Send one byte at a time, each in a turn of the event loop of its own."""
    for byte in data:
        await write(writer, bytes([byte]))
        await asyncio.sleep(0)


async def dial(port: int, *, is_slow: bool = False) -> socket.socket:
    """Connect to this port; for a slow reader the kernel keeps little."""
    connection = socket.socket()
    connection.settimeout(0)
    if is_slow:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_BUFFER_BYTES)
    await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
    return connection


def reset(writer: asyncio.StreamWriter) -> None:
    """Close so that the other side gets a reset, and loses what it has not read."""
    with suppress(OSError):
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


@asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[int]:
    """Serve each connection until it ends or a fault ends it; gives the port."""
    tasks: set[asyncio.Task[None]] = set()

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await serve(reader, writer)
        except (*LOST, HangUp):
            pass
        except asyncio.CancelledError:
            reset(writer)  # the campaign is over
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(connection, "127.0.0.1", 0, limit=MAX_HEAD_BYTES)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
