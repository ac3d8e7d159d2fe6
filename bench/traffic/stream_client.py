"""A client that records when each piece of an answer arrives, over kept connections."""

from __future__ import annotations

import asyncio
import contextlib
import time

from bench.traffic.model_stream import KEY, PATH, StreamRecord, StreamShape

PATIENCE_S = 60.0  # for one answer; after this it counts as an error


def request(shape: StreamShape, path: str = PATH) -> bytes:
    """The HTTP request for a stream."""
    body = shape.request_body()
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {KEY}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class StreamClient:
    """One connection to a port on loopback, reopened after the peer has closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection: _Connection | None = None

    async def ask(self, request_bytes: bytes, *, keeps_pieces: bool = True) -> StreamRecord:
        """Send the request; return the answer as far as it arrived."""
        record = StreamRecord(keeps_pieces)
        try:
            connection = await self._open()
            connection.ask(request_bytes, record)
            await asyncio.wait_for(connection.is_over.wait(), PATIENCE_S)
        except (OSError, TimeoutError):
            self.close()
        return record

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def _open(self) -> _Connection:
        if self._connection is None or self._connection.is_closed:
            loop = asyncio.get_running_loop()
            _, self._connection = await loop.create_connection(_Connection, "127.0.0.1", self._port)
        return self._connection


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self.is_closed = False
        self.is_over = asyncio.Event()
        self._record = StreamRecord()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP is a stream
        self._transport = transport

    def ask(self, request_bytes: bytes, record: StreamRecord) -> None:
        self.is_over.clear()
        self._record = record
        assert self._transport is not None  # noqa: S101 - called after the connection was made
        record.started_ns = time.monotonic_ns()
        self._transport.write(request_bytes)

    def data_received(self, data: bytes) -> None:
        self._record.add(time.monotonic_ns(), data)
        # An answer that is not chunked is an error; its connection is not kept.
        if self._record.is_chunked_to_its_end:
            self.is_over.set()
        elif b"\r\n\r\n" in data and b"chunked" not in data.lower() and _begins(self._record, data):
            self.close()

    def connection_lost(self, _error: Exception | None) -> None:
        self.is_closed = True
        self.is_over.set()

    def close(self) -> None:
        self.is_closed = True
        if self._transport is not None:
            with contextlib.suppress(OSError):
                self._transport.close()


def _begins(record: StreamRecord, data: bytes) -> bool:
    return record.size == len(data)
