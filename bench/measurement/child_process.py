"""Costs of a child process: CPU time by the kernel's account, wall time, memory."""

from __future__ import annotations

import os
import signal
import socket
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.measurement.process_cost import peak_rss_mb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

PATIENCE_S = 10.0  # a start takes a tenth of a second; after this it has failed


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU time (user and system) and wall time. rss_mb: peak memory, 0 if it was not measured."""

    cpu_ms: float
    wall_ms: float
    rss_mb: float = 0.0


class StartFailedError(Exception):
    """A child process failed before the end of its measurement."""


def cost_until_exit(command: list[str], environ: Mapping[str, str]) -> Cost:
    """Run `command` to its end."""
    started = time.perf_counter()
    return _cost(_spawn(command, environ), started)


def cost_until(
    command: list[str], environ: Mapping[str, str], happened: Callable[[], None]
) -> Cost:
    """Run `command` until `happened()` returns, then end it."""
    started, rss_mb = time.perf_counter(), 0.0
    pid = _spawn(command, environ)
    try:
        happened()
        wall_ms = (time.perf_counter() - started) * 1000
        rss_mb = peak_rss_mb(pid)
    finally:
        os.kill(pid, signal.SIGKILL)
        cost = _cost(pid, started)
    return Cost(cost.cpu_ms, wall_ms, rss_mb)


class FirstRequest:
    """A listener on loopback that waits for the first request of a process.

    The process keeps its connection while it is measured: without one it might exit.
    """

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._connections: list[socket.socket] = []
        host, port = listener.getsockname()
        self.address = f"{host}:{port}"

    def wait(self, beginning: bytes) -> None:
        """Return once a whole request with this beginning has arrived; do not answer it."""
        try:
            connection, _ = self._listener.accept()
        except TimeoutError as error:
            raise StartFailedError(f"no connection within {PATIENCE_S:g} s") from error
        self._connections.append(connection)
        connection.settimeout(PATIENCE_S)
        received = b""
        while b"\r\n\r\n" not in received:
            received += (data := connection.recv(1 << 16))
            if not data:
                break
        if not received.startswith(beginning):
            raise StartFailedError(f"expected a request {beginning!r}, found {received[:80]!r}")

    def close(self) -> None:
        for connection in self._connections:
            connection.close()


@contextmanager
def first_request() -> Iterator[FirstRequest]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE_S)
        request = FirstRequest(listener)
        try:
            yield request
        finally:
            request.close()


def _spawn(command: list[str], environ: Mapping[str, str]) -> int:
    return os.posix_spawn(command[0], command, environ)


def _cost(pid: int, started: float) -> Cost:
    _, _, usage = os.wait4(pid, 0)
    wall_ms = (time.perf_counter() - started) * 1000
    return Cost((usage.ru_utime + usage.ru_stime) * 1000, wall_ms)
