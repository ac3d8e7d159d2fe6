"""One connection, without a client."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from local.api_gateway.connections import Connection
from local.api_gateway.event import Peer
from tests.local.hand_clock import HandClock


def connection() -> Connection:
    peer = Peer("id=", "dev", "h", "127.0.0.1", "me/1", 0.0)
    return Connection(peer, web.WebSocketResponse(), HandClock())


@pytest.mark.parametrize("is_early", [True, False])
async def test_end_interrupts_the_block(is_early: bool) -> None:  # noqa: FBT001
    it = connection()
    messages = []
    if is_early:
        it.end(1009)
    async with it.listening():
        if not is_early:
            it.end(1009)
        messages.append("earlier")
        await asyncio.Event().wait()
    assert messages == ["earlier"]
    it.end(1001)
    assert it.close_code == 1009


async def test_error_in_the_block_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        async with connection().listening():
            raise ZeroDivisionError
