"""The integrations of a WebSocket API, without sockets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from local.api_gateway.event import Peer
from local.api_gateway.integration import Integrations, ProxyAnswer
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
FAILED = ProxyAnswer(502, None)


def integrations(**scripts: Script) -> Integrations:
    pools = {f"${route}": ScriptedInvoker(script) for route, script in scripts.items()}
    return Integrations(pools, "$request.body.action", HandClock())


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (OK, ProxyAnswer(200, None)),
        (buffered({"statusCode": 418, "body": "no"}), ProxyAnswer(418, None)),
        (
            buffered({"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "chat"}}),
            ProxyAnswer(200, "chat"),
        ),
        (streamed(b'{"statusCode": 200}', b" " * 100), ProxyAnswer(200, None)),
        (failing(), FAILED),
        (buffered("what"), FAILED),
        (buffered(None), FAILED),
        (buffered({"body": "x"}), FAILED),
        (buffered({"statusCode": "many"}), FAILED),
        (streamed(), FAILED),
        (streamed(b'{"statusCode": 200}', b" " * MAX_BUFFERED_RESPONSE_BYTES), FAILED),
    ],
)
async def test_answer_of_connect(script: Script, expected: ProxyAnswer) -> None:
    assert await integrations(connect=script).connect(PEER) == expected


@pytest.mark.parametrize(("status", "expected"), [(200, True), (299, True), (302, False)])
def test_only_2xx_is_success(status: int, expected: bool) -> None:  # noqa: FBT001
    assert ProxyAnswer(status, None).is_success() is expected


async def test_service_without_connect_and_disconnect_accepts_every_client() -> None:
    it = integrations()
    assert await it.connect(PEER) == ProxyAnswer(200, None)
    it.disconnect(PEER, 1000, "")


@pytest.mark.parametrize(
    ("script", "text"),
    [
        (OK, None),
        (buffered({"statusCode": 500}), None),  # without a route response, the status is ignored
        (failing(), "Internal server error"),
        (buffered("what"), "Internal server error"),
    ],
)
async def test_client_gets_a_text_for_a_message_that_failed(
    script: Script, text: str | None
) -> None:
    assert await integrations(default=script).message(PEER, "x", "r") == text


async def test_message_without_a_route_is_forbidden() -> None:
    it = integrations(connect=OK)
    assert await it.message(PEER, '{"action": "$connect"}', "r") == "Forbidden"


async def test_function_that_exceeds_the_limit_times_out_and_goes_on() -> None:
    go_on = asyncio.Event()

    async def slow(event: Any, receiver: AnswerReceiver) -> None:
        await go_on.wait()
        await OK(event, receiver)

    clock, invoker = HandClock(), ScriptedInvoker(slow)
    it = Integrations({"$connect": invoker, "$default": invoker}, "$request.body.action", clock)
    connecting = asyncio.create_task(it.connect(PEER))
    asking = asyncio.create_task(it.message(PEER, "x", "r"))
    await asyncio.sleep(0)
    await clock.armed(INTEGRATION_TIMEOUT_S)
    clock.advance(INTEGRATION_TIMEOUT_S - 1)
    assert clock.is_armed(INTEGRATION_TIMEOUT_S)
    clock.advance(1)
    assert await connecting == ProxyAnswer(504, None)
    assert await asking == "Endpoint request timed out"
    go_on.set()
    assert [await invocation.outcome for invocation in invoker.invocations] == [None, None]
