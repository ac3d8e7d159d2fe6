"""A model's API that streams the requested shape, each chunk with the time it was sent.

`python -m bench.traffic.timed_upstream` prints its port and runs until its standard input ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bench.measurement.machine import CHECKOUT
from bench.measurement.processors import OTHERS, running_on
from bench.traffic.model_stream import STREAM_END, event, parse_shape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.traffic.model_stream import StreamShape

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
MAX_HEAD_BYTES = 64 * 1024
HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
    b"x-request-id: req-bench\r\nTransfer-Encoding: chunked\r\n\r\n"
)
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


@contextmanager
def timed_upstream() -> Iterator[int]:
    """Run the upstream; yield its port on loopback."""
    with running_on(OTHERS):
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.traffic.timed_upstream"],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
    with process:
        try:
            assert process.stdin is not None  # noqa: S101 - it is a pipe
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            yield int(process.stdout.readline())
        finally:
            process.kill()


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one connection."""
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = LENGTH.search(head)
            shape = parse_shape(await reader.readexactly(int(length[1]) if length else 0))
            if shape is None:
                writer.write(NOT_FOUND)
            else:
                await stream(shape, writer)
    writer.close()


async def stream(shape: StreamShape, writer: asyncio.StreamWriter) -> None:
    """Send an answer: each chunk when it is due, or as fast as they are taken."""
    writer.write(HEAD)
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


async def _serve() -> None:
    server = await asyncio.start_server(answer, "127.0.0.1", 0, limit=MAX_HEAD_BYTES)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve())
