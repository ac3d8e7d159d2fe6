"""How a function's answer is framed for a client, over real sockets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from local.invocation import AnswerHead, AnswerReceiver
from tests.local.function_url.url_bench import serving
from tests.local.runtime_api.scripted_invoker import prelude, streamed


async def test_content_length_of_the_prelude_is_kept() -> None:
    async with serving(streamed(prelude(headers={"Content-Length": "4"}), b"four")) as it:
        client = await it.client()
        for _ in range(2):
            answer = await client.ask("GET", "/")
            assert (answer.header("content-length"), answer.body) == ("4", b"four")
            assert "transfer-encoding" not in answer.headers


async def test_answer_shorter_than_its_content_length_is_visibly_truncated() -> None:
    async with serving(streamed(prelude(headers={"Content-Length": "5"}), b"four")) as it:
        answer = await it.ask("GET", "/")
        assert (answer.body, answer.whole) == (b"four", False)


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
async def test_answer_without_a_body_leaves_the_connection_usable(method: str, status: int) -> None:
    async with serving(streamed(prelude(statusCode=status), b"not for you")) as it:
        client = await it.client()
        for _ in range(2):
            answer = await client.ask(method, "/")
            assert (answer.status, answer.body) == (status, b"")


async def test_answer_longer_than_its_content_length_is_cut_at_it() -> None:
    async with serving(streamed(prelude(headers={"Content-Length": "4"}), b"four and more")) as it:
        client = await it.client()
        for _ in range(2):
            assert (await client.ask("GET", "/")).body == b"four"


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
        assert b"transfer-encoding" not in head.lower()
        assert body == b"onetwo"


async def test_client_that_leaves_while_it_is_waited_for_lets_the_function_go_on() -> None:
    async def script(_event: Any, receiver: AnswerReceiver) -> None:
        receiver.begin(AnswerHead(streaming=True, content_type="text/plain"))
        for _ in range(32):
            receiver.piece(b"x" * 1024 * 1024)
        assert receiver.is_full()
        full.set()
        await receiver.drain()

    full = asyncio.Event()
    async with serving(script) as it:
        client = await it.client()
        client.send("GET", "/")
        await full.wait()
        client.writer.transport.abort()
        assert await it.invoker.invocations[0].outcome is None


async def test_piece_behind_the_end_is_dropped() -> None:
    async with serving(streamed(prelude() + b"body")) as it:
        client = await it.client()
        for _ in range(2):
            assert (await client.ask("GET", "/")).body == b"body"
            it.invoker.invocations[0].receiver.piece(b"late")
