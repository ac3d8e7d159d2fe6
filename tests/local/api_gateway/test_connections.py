"""One connection and its registry, without a client."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from local.api_gateway.connections import Connection, ConnectionGoneError, Connections
from local.api_gateway.event import Peer
from tests.local.hand_clock import HandClock


def connection() -> Connection:
    peer = Peer("id=", "dev", "h", "127.0.0.1", "me/1", 0.0)
    return Connection(peer, web.WebSocketResponse(), HandClock())


@pytest.mark.parametrize("is_early", [True, False])
async def test_end_leaves_the_block_where_it_waits(is_early: bool) -> None:  # noqa: FBT001
    it = connection()
    taken = []
    if is_early:
        it.end(1009)
    async with it.listening():
        if not is_early:
            it.end(1009)
        taken.append("what came before")
        await asyncio.Event().wait()
    assert taken == ["what came before"]
    it.end(1001)
    assert it.close_code == 1009


async def test_end_behind_the_block_changes_nothing() -> None:
    it = connection()
    async with it.listening():
        pass
    it.end(1001)
    await asyncio.sleep(0)


async def test_failure_in_the_block_is_passed_on() -> None:
    with pytest.raises(ZeroDivisionError):
        async with connection().listening():
            raise ZeroDivisionError


async def test_only_an_open_connection_is_found() -> None:
    it, registry = connection(), Connections()
    with pytest.raises(ConnectionGoneError):
        registry.find("id=")
    registry.add(it)
    assert registry.find("id=") is it
    assert registry.all() == (it,)
    it.end(1000)
    with pytest.raises(ConnectionGoneError):
        registry.find("id=")
    registry.remove(it)
    assert registry.all() == ()
