"""Two hundred clients at once, each with a question of its own, and a model that repeats it."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from typing import TYPE_CHECKING

from websockets.asyncio.client import ClientConnection, connect

from local.limits import DEFAULT_CONCURRENCY
from tests.running_stack import PATIENCE_S, RunningStack
from tests.scripted_upstream import (
    EVENT_STREAM_HEAD,
    LAST_CHUNK,
    ScriptedUpstream,
    UpstreamRequest,
    chunk,
    delta,
    sse,
)

if TYPE_CHECKING:
    import socket

CLIENTS = 200


class Echo:
    """A script: say the question again, each word as a delta of its own.

    It begins when as many clients wait as may be served at once.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all_are_here = threading.Event()
        self._under_way = 0
        self.most_at_once = 0

    def __call__(self, request: UpstreamRequest, connection: socket.socket) -> None:
        with self._lock:
            self._under_way += 1
            self.most_at_once = max(self.most_at_once, self._under_way)
            if self._under_way == DEFAULT_CONCURRENCY:
                self._all_are_here.set()
        assert self._all_are_here.wait(PATIENCE_S)
        connection.sendall(EVENT_STREAM_HEAD)
        for word in re.findall(r"\S+\s*", request.document["messages"][-1]["content"]):
            connection.sendall(chunk(delta(word)))
        with self._lock:
            self._under_way -= 1
        connection.sendall(chunk(sse("[DONE]")) + LAST_CHUNK)


def words_of(number: int) -> str:
    return f"client {number} says " + " ".join(f"{number}-{count}" for count in range(10))


async def ask(client: ClientConnection, words: str) -> list[str]:
    """Ask, and return all frames up to the end mark."""
    await client.send(json.dumps({"messages": [{"role": "user", "content": words}]}))
    frames: list[str] = []
    while not frames or frames[-1] != "<END>":
        frame = await client.recv()
        assert isinstance(frame, str)
        frames.append(frame)
    return frames


async def all_at_once(url: str) -> None:
    opening = (connect(url, open_timeout=PATIENCE_S, compression=None) for _ in range(CLIENTS))
    clients = await asyncio.gather(*opening)
    asking = (ask(client, words_of(number)) for number, client in enumerate(clients))
    async with asyncio.timeout(PATIENCE_S):
        answers = await asyncio.gather(*asking)
    for number, frames in enumerate(answers):
        assert "".join(frames) == words_of(number) + "<END>"
    await asyncio.gather(*(client.close() for client in clients))
    # Anything after the end mark would wait here.
    assert [frame for client in clients async for frame in client] == []


def test_two_hundred_clients_get_their_own_answer_each(
    signed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    upstream.script = echo = Echo()
    asyncio.run(all_at_once(signed_stack.websocket_url))
    questions = [request.document["messages"][-1]["content"] for request in upstream.requests]
    assert sorted(questions) == sorted(words_of(number) for number in range(CLIENTS))
    assert echo.most_at_once == DEFAULT_CONCURRENCY
