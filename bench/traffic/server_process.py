"""A server in a process of its own, on loopback, with or without TLS.

A module that is such a server calls `serve` when it is run. It prints its port and runs until its
standard input ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bench.measurement.machine import CHECKOUT
from bench.measurement.processors import OTHERS, running_on

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

MAX_HEAD_BYTES = 64 * 1024


@contextmanager
def server_process(module: str, *arguments: str) -> Iterator[int]:
    """Run `python -m module arguments…`; yield its port."""
    with running_on(OTHERS):
        process = subprocess.Popen(  # noqa: S603 - a module of this folder
            [sys.executable, "-m", module, *arguments],
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


async def serve(answer: Answer, certificate: str = "", opening_s: float = 0.0) -> None:
    """Serve connections. certificate: a PEM file with its key, for TLS 1.3.

    opening_s: how long each connection waits for its handshake, as at a server that is far away.
    """
    tls = tls_1_3(certificate) if certificate else None
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)  # noqa: FBT003 - its only parameter
        accepting = asyncio.create_task(_accept(listener, answer, tls, opening_s))
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        accepting.cancel()


async def _accept(
    listener: socket.socket, answer: Answer, tls: ssl.SSLContext | None, opening_s: float
) -> None:
    loop = asyncio.get_running_loop()

    def protocol() -> asyncio.StreamReaderProtocol:
        return asyncio.StreamReaderProtocol(asyncio.StreamReader(MAX_HEAD_BYTES), answer)

    async def serve_one(connection: socket.socket) -> None:
        await asyncio.sleep(opening_s)
        with contextlib.suppress(OSError):  # the client has gone
            await loop.connect_accepted_socket(protocol, connection, ssl=tls)

    async with asyncio.TaskGroup() as openings:
        while True:
            connection, _ = await loop.sock_accept(listener)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            openings.create_task(serve_one(connection))


def tls_1_3(certificate: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(certificate)
    return context
