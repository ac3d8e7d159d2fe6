"""WebSocket clients that leave while $connect still decides."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from local.errors import FunctionFailure
from local.invocation import AnswerReceiver
from tests.local.api_gateway.websocket_bench import OK, Bench, run
from tests.local.functions.processes import until
from tests.local.runtime_api.scripted_invoker import buffered

UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


async def leave_during(it: Bench, asked: asyncio.Event) -> None:
    """Ask for an upgrade and leave once $connect was asked; wait until the server knows."""
    _, client = await asyncio.open_connection("127.0.0.1", it.port)
    client.write(UPGRADE)
    await asked.wait()
    client.close()
    await until(lambda: all(open_.transport is None for open_ in it.server.connections))


def test_client_that_leaves_during_the_handshake_is_disconnected_quietly(
    caplog: pytest.LogCaptureFixture,
) -> None:
    asked, gone = asyncio.Event(), asyncio.Event()

    async def script(_event: Any, receiver: AnswerReceiver) -> FunctionFailure | None:
        asked.set()
        await gone.wait()
        return await OK(_event, receiver)

    async def test(it: Bench) -> None:
        await leave_during(it, asked)
        gone.set()
        opened = await it.opened()
        event = await it.event("$disconnect")
        assert event["requestContext"]["connectionId"] == opened
        assert event["requestContext"]["disconnectStatusCode"] == 1006
        assert (await it.call("GET", opened)).status == 410

    run(test, on_connect=script)
    assert caplog.text == ""


def test_client_that_leaves_before_it_is_refused_was_never_connected(
    caplog: pytest.LogCaptureFixture,
) -> None:
    asked, gone = asyncio.Event(), asyncio.Event()

    async def script(_event: Any, receiver: AnswerReceiver) -> FunctionFailure | None:
        asked.set()
        await gone.wait()
        return await buffered({"statusCode": 401})(_event, receiver)

    async def test(it: Bench) -> None:
        await leave_during(it, asked)
        gone.set()
        await it.invokers["$connect"].invocations[0].outcome
        async with it.http.get(f"http://127.0.0.1:{it.port}/") as response:
            assert response.status == 426
        assert it.invokers["$disconnect"].events.empty()

    run(test, on_connect=script)
    assert caplog.text == ""
