"""The answers of a Function URL over real sockets, by functions that follow a script."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from local.errors import FunctionFailure
from local.invocation import AnswerHead, AnswerReceiver
from tests.local.function_url.url_bench import serving
from tests.local.runtime_api.scripted_invoker import (
    HTTP,
    Script,
    buffered,
    failing,
    give,
    prelude,
    streamed,
)

FAILURE = FunctionFailure("E", "m")
BYTES = bytes(range(256)) * 64
HEAD = prelude(
    statusCode=404, headers={"X-Mine": "yes", "Connection": "close"}, cookies=["a=1", "b=2"]
)


async def test_each_piece_reaches_the_client_before_the_next_is_made() -> None:
    more: asyncio.Queue[bytes] = asyncio.Queue()

    async def script(_event: Any, receiver: AnswerReceiver) -> None:
        receiver.begin(AnswerHead(streaming=True, content_type=HTTP))
        while data := await more.get():
            receiver.piece(data)

    async with serving(script) as it:
        client = await it.client()
        client.send("GET", "/")
        more.put_nowait(prelude(statusCode=201, headers={"Content-Type": "text/plain"}))
        status, headers = await client.head()
        assert (status, headers["content-type"]) == (201, ["text/plain"])
        for piece in (b"one", b"two"):
            more.put_nowait(piece)
            assert await client.chunk() == piece
        more.put_nowait(b"")
        assert await client.chunk() == b""


@pytest.mark.parametrize(
    ("script", "status", "body", "headers"),
    [
        (streamed(HEAD + b"body"), 404, b"body", {"set-cookie": ["a=1", "b=2"], "x-mine": ["yes"]}),
        (
            streamed(b"h", b"i", content_type="text/csv"),
            200,
            b"hi",
            {"content-type": ["text/csv"]},
        ),
        *(
            (
                streamed(content_type=content_type),
                200,
                b"",
                {"content-type": ["application/octet-stream"]},
            )
            for content_type in ("", HTTP, "application/octet-stream")
        ),
        (
            buffered({"statusCode": 201, "body": "hi", "cookies": ["a=1"]}),
            201,
            b"hi",
            {"content-length": ["2"], "set-cookie": ["a=1"]},
        ),
        (
            streamed(prelude(), *(BYTES[at : at + 1000] for at in range(0, len(BYTES), 1000))),
            200,
            BYTES,
            {"transfer-encoding": ["chunked"]},
        ),
    ],
)
async def test_answer_reaches_the_client(
    script: Script, status: int, body: bytes, headers: dict[str, list[str]]
) -> None:
    async with serving(script) as it:
        answer = await it.ask("GET", "/")
        assert (answer.status, answer.body, answer.whole) == (status, body, True)
        assert {name: answer.headers.get(name) for name in headers} == headers
        assert "connection" not in answer.headers
        assert answer.header("x-amzn-requestid")
        assert answer.header("x-amzn-trace-id").startswith("Root=1-")


@pytest.mark.parametrize(
    "script",
    [
        failing(),
        streamed(failure=FAILURE),
        streamed(content_type="text/plain", failure=FAILURE),
        streamed(b"no prelude"),
        streamed(b"no json" + b"\0" * 8 + b"body"),
        streamed(prelude(statusCode=1) + b"body", b"more"),
        buffered({"statusCode": "x"}),
    ],
)
async def test_failure_before_the_first_byte_is_a_502(script: Script) -> None:
    async with serving(script) as it:
        answer = await it.ask("GET", "/")
        assert (answer.status, answer.body) == (502, b"Internal Server Error")
        assert answer.header("x-amzn-requestid")


@pytest.mark.parametrize(
    "script",
    [
        streamed(prelude() + b"half", failure=FAILURE),
        streamed(prelude(headers={"Content-Length": "5"}), b"half"),
    ],
)
async def test_answer_that_ends_too_early_is_visibly_truncated(script: Script) -> None:
    async with serving(script) as it:
        answer = await it.ask("GET", "/")
        assert (answer.status, answer.body, answer.whole) == (200, b"half", False)


@pytest.mark.parametrize(
    ("method", "status", "body"),
    [("GET", 200, b"four"), ("HEAD", 200, b""), ("GET", 204, b""), ("GET", 304, b"")],
)
async def test_answer_leaves_the_connection_usable(method: str, status: int, body: bytes) -> None:
    head = prelude(statusCode=status, headers={"Content-Length": "4"})
    async with serving(streamed(head, b"four and more")) as it:
        client = await it.client()
        for _ in range(2):
            answer = await client.ask(method, "/")
            assert (answer.status, answer.body) == (status, body)
            it.invoker.invocations[0].receiver.piece(b"after the end")


async def test_head_and_first_piece_reach_the_client_in_one_read() -> None:
    async with serving(streamed(prelude() + b"first")) as it:
        client = await it.client()
        client.send("GET", "/")
        data = await client.reader.read(65536)
        assert data.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"\r\n\r\n5\r\nfirst\r\n" in data


async def test_client_of_http_1_0_gets_a_body_that_ends_with_the_connection() -> None:
    async with serving(streamed(prelude() + b"one", b"two")) as it:
        client = await it.client()
        client.writer.write(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        head, _, body = (await client.reader.read()).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.0 200 OK\r\n")
        assert (b"transfer-encoding" in head.lower(), body) == (False, b"onetwo")


async def test_disconnect_does_not_interrupt_the_function() -> None:
    gone = asyncio.Event()

    async def script(_event: Any, receiver: AnswerReceiver) -> None:
        receiver.begin(AnswerHead(streaming=True, content_type=HTTP))
        receiver.piece(prelude() + b"first")
        await gone.wait()
        for _ in range(100):
            await give(receiver, b"x" * 100_000)

    async with serving(script) as it:
        client = await it.client()
        client.send("GET", "/")
        await client.head()
        client.writer.transport.abort()
        gone.set()
        assert await it.invoker.invocations[0].outcome is None
        assert (await it.ask("GET", "/")).status == 200


@pytest.mark.parametrize("disconnects", [False, True])
async def test_slow_client_makes_the_function_wait(*, disconnects: bool) -> None:
    full = asyncio.Event()

    async def script(_event: Any, receiver: AnswerReceiver) -> None:
        receiver.begin(AnswerHead(streaming=True, content_type="text/plain"))
        for _ in range(32):
            receiver.piece(b"x" * 1024 * 1024)
        assert receiver.is_full()
        full.set()
        await receiver.drain()

    async with serving(script) as it:
        client = await it.client()
        client.send("GET", "/")
        await full.wait()
        outcome = it.invoker.invocations[0].outcome
        assert not outcome.done()
        if disconnects:
            client.writer.transport.abort()
        else:
            assert len((await client.answer()).body) == 32 * 1024 * 1024
        assert await outcome is None
