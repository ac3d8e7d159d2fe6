"""What a WebSocket API makes of its functions' answers, without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from local.api_gateway.event import Peer
from local.api_gateway.integration import Integrations
from local.api_gateway.proxy_answer import ProxyAnswer
from local.invocation import AnswerReceiver
from local.limits import INTEGRATION_TIMEOUT_S, MAX_BUFFERED_RESPONSE_BYTES
from tests.local.hand_clock import HandClock
from tests.local.runtime_api.scripted_invoker import (
    Script,
    ScriptedInvoker,
    buffered,
    failing,
    streamed,
)

PEER = Peer("id=", "dev", "h", "127.0.0.1", "me/1", 0.0)
OK = buffered({"statusCode": 200})


async def silent(_event: Any, _receiver: AnswerReceiver) -> None:
    await asyncio.Event().wait()


def run(test: Callable[[Integrations, HandClock], Awaitable[None]], **scripts: Script) -> None:
    async def whole() -> None:
        clock = HandClock()
        pools = {f"${route}": ScriptedInvoker(script) for route, script in scripts.items()}
        await test(Integrations(pools, "$request.body.action", clock), clock)

    asyncio.run(whole())


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (OK, ProxyAnswer(200, None)),
        (buffered({"statusCode": 418}), ProxyAnswer(418, None)),
        (
            buffered({"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "chat"}}),
            ProxyAnswer(200, "chat"),
        ),
        (failing(), ProxyAnswer(502, None)),
        (buffered("what"), ProxyAnswer(502, None)),
        (streamed(b'{"statusCode": 200}', b" " * 100), ProxyAnswer(200, None)),
        (
            streamed(b'{"statusCode": 200}', b" " * MAX_BUFFERED_RESPONSE_BYTES),
            ProxyAnswer(502, None),
        ),
    ],
)
def test_answer_of_connect(script: Script, expected: ProxyAnswer) -> None:
    async def test(it: Integrations, _clock: HandClock) -> None:
        assert await it.connect(PEER) == expected

    run(test, connect=script)


def test_service_without_connect_lets_everyone_in() -> None:
    async def test(it: Integrations, _clock: HandClock) -> None:
        assert await it.connect(PEER) == ProxyAnswer(200, None)
        it.disconnect(PEER, 1000, "")

    run(test)


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (OK, None),
        (buffered({"statusCode": 500}), None),  # its status is nobody's business: no route response
        (failing(), "Internal server error"),
        (buffered("what"), "Internal server error"),
    ],
)
def test_what_the_client_is_told_of_a_message(script: Script, told: str | None) -> None:
    async def test(it: Integrations, _clock: HandClock) -> None:
        assert await it.message(PEER, "x", "r") == told

    run(test, default=script)


def test_message_without_a_route_is_forbidden() -> None:
    async def test(it: Integrations, _clock: HandClock) -> None:
        assert await it.message(PEER, '{"action": "$connect"}', "r") == "Forbidden"

    run(test, connect=OK)


def test_function_that_does_not_answer_is_waited_for_so_long() -> None:
    async def test(it: Integrations, clock: HandClock) -> None:
        connecting = asyncio.create_task(it.connect(PEER))
        asking = asyncio.create_task(it.message(PEER, "x", "r"))
        await asyncio.sleep(0)
        await clock.armed(INTEGRATION_TIMEOUT_S)
        clock.advance(INTEGRATION_TIMEOUT_S - 1)
        assert clock.is_armed(INTEGRATION_TIMEOUT_S)
        clock.advance(1)
        assert await connecting == ProxyAnswer(504, None)
        assert await asking == "Endpoint request timed out"

    run(test, connect=silent, default=silent)
