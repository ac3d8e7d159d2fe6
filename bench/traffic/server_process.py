"""A server in a process of its own, on loopback, with or without TLS.

A module that is such a server calls `serve` when it is run. It prints its port and runs until its
standard input ends.
"""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bench.measurement.machine import CHECKOUT
from bench.measurement.processors import OTHERS, running_on

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

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


async def serve(
    answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    certificate: str = "",
) -> None:
    """Serve connections. certificate: a PEM file with its key, for TLS 1.3."""
    tls = tls_1_3(certificate) if certificate else None
    server = await asyncio.start_server(answer, "127.0.0.1", 0, limit=MAX_HEAD_BYTES, ssl=tls)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def tls_1_3(certificate: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(certificate)
    return context
