"""A minimal Runtime API for measurements: the upper limit for a relay.

It sends one event at a time and records when each piece of the answer arrives.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from bench.traffic.model_stream import StreamRecord

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PATIENCE_S = 120.0  # for a start, or for one answer; after this the measurement has failed
ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
EVENT_HEADERS = (
    "HTTP/1.1 200 OK",
    "Content-Type: application/json",
    "Lambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd",
    "Lambda-Runtime-Deadline-Ms: {deadline_ms}",
    "Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:123456789012:function:f",
    # Without it Node.js's client dies with a segmentation fault.
    "Lambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419",
    "Content-Length: {length}",
)
FUNCTION_TIMEOUT_S = 900


class MeasuringRuntimeApi:
    """The Runtime API of one runtime, on one or more connections."""

    def __init__(self) -> None:
        self.address = ""
        self._waiting: asyncio.Queue[_Connection] = asyncio.Queue()
        self._record = StreamRecord()
        self._answered = asyncio.Event()

    async def invoke(self, event: bytes, *, keeps_pieces: bool = True) -> StreamRecord:
        """Send the event as soon as the runtime requests one; return the whole answer."""
        connection = await asyncio.wait_for(self._waiting.get(), PATIENCE_S)
        self._answered.clear()
        self._record = StreamRecord(keeps_pieces)
        deadline_ms = int((time.time() + FUNCTION_TIMEOUT_S) * 1000)
        head = "\r\n".join(EVENT_HEADERS).format(deadline_ms=deadline_ms, length=len(event))
        self._record.started_ns = time.monotonic_ns()
        connection.reply(head.encode() + b"\r\n\r\n" + event)
        await asyncio.wait_for(self._answered.wait(), PATIENCE_S)
        return self._record

    async def wait_until_idle(self) -> None:
        """Return once the runtime requests its next event."""
        self.runtime_waits(await asyncio.wait_for(self._waiting.get(), PATIENCE_S))

    def runtime_waits(self, connection: _Connection) -> None:
        self._waiting.put_nowait(connection)

    def begin_answer(self) -> StreamRecord:
        return self._record

    def end_answer(self) -> None:
        self._answered.set()


@asynccontextmanager
async def measuring_runtime_api() -> AsyncIterator[MeasuringRuntimeApi]:
    api = MeasuringRuntimeApi()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(api), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    api.address = f"{host}:{port}"
    try:
        yield api
    finally:
        server.close()


class _Connection(asyncio.Protocol):
    def __init__(self, api: MeasuringRuntimeApi) -> None:
        self._api = api
        self._head = b""
        self._record: StreamRecord | None = None
        self._body_left: int | None = None  # None: chunked
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP is a stream
        self._transport = transport

    def reply(self, data: bytes) -> None:
        assert self._transport is not None  # noqa: S101 - a request came over it
        self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        now_ns = time.monotonic_ns()
        if self._record is None:
            self._head += data
            head, found, data = self._head.partition(b"\r\n\r\n")
            if not found:
                return
            self._head = b""
            if head.startswith(b"GET "):
                self._api.runtime_waits(self)
                return
            self._begin_answer(head)
        self._take(now_ns, data)

    def _begin_answer(self, head: bytes) -> None:
        self._record = self._api.begin_answer()
        length = LENGTH.search(head)
        self._body_left = int(length[1]) if length else None

    def _take(self, now_ns: int, data: bytes) -> None:
        assert self._record is not None  # noqa: S101 - an answer has begun
        if data:
            self._record.add(now_ns, data)
        if self._body_left is not None:
            self._body_left -= len(data)
            is_over = self._body_left <= 0
        else:
            is_over = self._record.is_chunked_to_its_end
        if is_over:
            self._record = None
            self.reply(ACCEPTED)
            self._api.end_answer()
