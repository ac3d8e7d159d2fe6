"""A model's API that streams the requested shape, each chunk with the time it was sent."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from bench.traffic.model_stream import STREAM_END, event, parse_shape
from bench.traffic.server_process import serve, server_process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.traffic.model_stream import StreamShape

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
    b"x-request-id: req-bench\r\nTransfer-Encoding: chunked\r\n\r\n"
)
CLOSING_HEAD = HEAD.replace(b"Transfer", b"Connection: close\r\nTransfer")
CLOSES = "closes"
REFUSED = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


@contextmanager
def timed_upstream(
    key: str = "", certificate: str = "", *, closes: bool = False, opening_s: float = 0.0
) -> Iterator[int]:
    """Run the upstream; yield its port on loopback.

    key: what requests must present; empty if anything will do. certificate: for TLS. closes:
    whether a connection ends with its answer. opening_s: see `serve`.
    """
    arguments = key, certificate, CLOSES if closes else "", str(opening_s)
    with server_process("bench.traffic.timed_upstream", *arguments) as port:
        yield port


async def answer(
    key: str, closes: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Serve one connection."""
    presented = f"bearer {key}".encode().lower()
    with contextlib.suppress(asyncio.IncompleteReadError, OSError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = LENGTH.search(head)
            shape = parse_shape(await reader.readexactly(int(length[1]) if length else 0))
            if key and presented not in head.lower():
                writer.write(REFUSED)
            elif shape is None:
                writer.write(NOT_FOUND)
            else:
                await stream(shape, writer, CLOSING_HEAD if closes else HEAD)
                if closes:
                    break
    writer.close()


async def stream(shape: StreamShape, writer: asyncio.StreamWriter, head: bytes = HEAD) -> None:
    """Send an answer: each chunk when it is due, or as fast as they are taken."""
    writer.write(head)
    started_ns = time.monotonic_ns()
    for number in range(shape.chunks):
        due_ns = started_ns + number * shape.gap_us * 1000
        if (wait_ns := due_ns - time.monotonic_ns()) > 0:
            await asyncio.sleep(wait_ns / 1e9)
        writer.write(_chunk(event(time.monotonic_ns(), shape.chunk_bytes)))
        await writer.drain()
    writer.write(_chunk(STREAM_END) + b"0\r\n\r\n")
    await writer.drain()


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


if __name__ == "__main__":
    asyncio.run(serve(partial(answer, sys.argv[1], sys.argv[3]), sys.argv[2], float(sys.argv[4])))
