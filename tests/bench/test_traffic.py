"""The parts that traffic goes through, connected over real sockets."""

from __future__ import annotations

import asyncio
import http.client
import socket

from bench.traffic.connections_api import connections_api
from bench.traffic.function_events import url_event
from bench.traffic.model_stream import KEY, LAST_CHUNK, STREAM_END, StreamShape, delays_us
from bench.traffic.runtime_api import ACCEPTED, measuring_runtime_api
from bench.traffic.stream_client import StreamClient, request
from bench.traffic.timed_upstream import timed_upstream

SHAPE = StreamShape(5, 250, 1_000)
NEXT = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n"
RESPONSE = b"POST /x/response HTTP/1.1\r\n"


def test_client_sees_each_chunk_of_the_upstream_after_it_was_sent() -> None:
    async def twice(port: int) -> None:
        client = StreamClient(port)
        for _ in range(2):  # over one connection
            record = await client.ask(request(SHAPE))
            assert record.is_whole
            assert len(delays_us(record)) == SHAPE.chunks - 1
            assert min(delays_us(record)) > 0
        client.close()

    with timed_upstream() as port:
        asyncio.run(twice(port))
        refused = asyncio.run(StreamClient(port).ask(b"GET / HTTP/1.1\r\n\r\n"))
        assert not refused.is_whole
    assert asyncio.run(StreamClient(port).ask(request(SHAPE))).size == 0  # the port is closed


def test_upstream_ends_each_connection_if_it_should() -> None:
    with (
        timed_upstream(closes=True, opening_s=0.001) as port,
        socket.create_connection(("127.0.0.1", port)) as connection,
        connection.makefile("rb") as stream,
    ):
        connection.sendall(request(SHAPE))
        received = stream.read()
    assert b"\r\nConnection: close\r\n" in received
    assert received.endswith(LAST_CHUNK)


def test_upstream_with_a_key_refuses_any_other() -> None:
    async def is_answered(port: int) -> bool:
        client = StreamClient(port)
        record = await client.ask(request(SHAPE))
        client.close()
        return record.is_whole

    for key in (KEY, "another key"):
        with timed_upstream(key) as port:
            assert asyncio.run(is_answered(port)) == (key == KEY)


def test_runtime_api_gives_an_event_and_records_the_answer() -> None:
    event = url_event(SHAPE)

    def runtime(address: str) -> None:
        host, _, port = address.partition(":")
        with socket.create_connection((host, int(port))) as connection:
            for answer in (
                b"Transfer-Encoding: chunked\r\n\r\n9f\r\n" + STREAM_END + LAST_CHUNK,
                b"Content-Length: 4\r\n\r\nnull",
            ):
                connection.sendall(NEXT)
                assert connection.recv(1 << 16).endswith(b"\r\n\r\n" + event)
                connection.sendall(RESPONSE + answer)
                assert connection.recv(1 << 16) == ACCEPTED

    async def run() -> None:
        async with measuring_runtime_api() as api:
            running = asyncio.create_task(asyncio.to_thread(runtime, api.address))
            streamed = await api.invoke(event)
            assert streamed.is_whole
            assert streamed.seconds > 0
            assert (await api.invoke(event)).size == 4
            await running

    asyncio.run(run())


def test_connections_api_counts_what_it_takes() -> None:
    def post(port: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for frame in (b"one", b"three"):
            connection.request("POST", "/@connections/x", frame)
            assert connection.getresponse().read() == b""
        connection.close()

    async def run() -> None:
        async with connections_api() as api:
            await asyncio.to_thread(post, api.port)
            assert (api.posts, api.size) == (2, 8)

    asyncio.run(run())
