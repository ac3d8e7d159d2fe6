"""The parts that traffic goes through, with one another over real sockets."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket

from bench.traffic.connections_api import connections_api
from bench.traffic.function_events import url_event, websocket_event
from bench.traffic.model_stream import LAST_CHUNK, PATH, STREAM_END, StreamShape, delays_us
from bench.traffic.runtime_api import MeasuringRuntimeApi, measuring_runtime_api
from bench.traffic.stream_client import StreamClient, request
from bench.traffic.timed_upstream import timed_upstream

SHAPE = StreamShape(5, 250, 1_000)
NEXT = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n"


def test_client_sees_each_chunk_of_the_upstream_after_it_was_sent() -> None:
    with timed_upstream() as port:

        async def twice() -> None:
            client = StreamClient(port)
            for _ in range(2):  # over one connection
                record = await client.ask(request(SHAPE))
                assert record.is_whole
                assert len(delays_us(record)) == SHAPE.chunks - 1
                assert min(delays_us(record)) > 0
            client.close()

        asyncio.run(twice())


def test_upstream_answers_a_request_without_a_shape_with_404() -> None:
    with timed_upstream() as port:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", "/v1/models")
        assert connection.getresponse().status == 404
        connection.close()


def test_client_takes_an_error_and_a_closed_port_for_no_answer() -> None:
    with timed_upstream() as port:
        refused = asyncio.run(StreamClient(port).ask(b"GET / HTTP/1.1\r\n\r\n"))
        assert (refused.is_whole, refused.size > 0) == (False, True)
    assert asyncio.run(StreamClient(port).ask(request(SHAPE))).size == 0


def test_runtime_api_gives_an_event_and_notes_the_answer() -> None:
    event = url_event(SHAPE)

    def runtime(address: str) -> None:
        host, _, port = address.partition(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(NEXT)
            given = connection.recv(1 << 16)
            assert b"\r\nLambda-Runtime-Aws-Request-Id: " in given
            assert given.endswith(b"\r\n\r\n" + event)
            connection.sendall(b"POST /x/response HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
            connection.sendall(b"9f\r\n" + STREAM_END + LAST_CHUNK)
            assert connection.recv(1 << 16) == _accepted()
            connection.sendall(NEXT)

    async def run() -> None:
        async with measuring_runtime_api() as api:
            running = asyncio.to_thread(runtime, api.address)
            (is_whole, seconds), _ = await asyncio.gather(_streamed(api, event), running)
            assert is_whole
            assert seconds > 0
            await api.wait_until_idle()

    asyncio.run(run())


def test_runtime_api_takes_a_whole_answer_too() -> None:
    def runtime(address: str) -> None:
        host, _, port = address.partition(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(NEXT)
            connection.recv(1 << 16)
            connection.sendall(b"POST /x/response HTTP/1.1\r\nContent-Length: 4\r\n\r\nnu")
            connection.sendall(b"ll")
            assert connection.recv(1 << 16) == _accepted()

    async def run() -> None:
        async with measuring_runtime_api() as api:
            running = asyncio.to_thread(runtime, api.address)
            record, _ = await asyncio.gather(_invoked(api), running)
            assert record == 4

    asyncio.run(run())


async def _streamed(api: MeasuringRuntimeApi, event: bytes) -> tuple[bool, float]:
    record = await api.invoke(event)
    return record.is_whole, record.seconds


async def _invoked(api: MeasuringRuntimeApi) -> int:
    return (await api.invoke(websocket_event(SHAPE))).size


def test_connections_api_counts_what_it_takes() -> None:
    def post(port: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for frame in (b"one", b"three"):
            connection.request("POST", "/@connections/x", frame)
            reply = connection.getresponse()
            reply.read()
            assert reply.status == 200
        connection.close()

    async def run() -> None:
        async with connections_api() as api:
            await asyncio.to_thread(post, api.port)
            assert (api.posts, api.size) == (2, 8)

    asyncio.run(run())


def test_events_ask_for_the_stream_in_the_providers_json() -> None:
    url, message = json.loads(url_event(SHAPE)), json.loads(websocket_event(SHAPE))
    asked = json.loads(SHAPE.request_body())
    assert url["rawPath"] == PATH
    assert json.loads(url["body"]) == asked
    assert json.loads(message["body"])["request"] == asked


def _accepted() -> bytes:
    return b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
