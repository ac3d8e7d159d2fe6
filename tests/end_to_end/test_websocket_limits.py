"""API Gateway's limits around real functions: a stack in this process, in whose loop time can pass.

Only the stack's time moves: the functions are processes of their own.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import socket
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web
from websockets.asyncio.client import ClientConnection, connect
from yarl import URL

from local.console import Console
from local.http.listening import bind, port_of, serve
from local.limits import INTEGRATION_TIMEOUT_S
from local.project.environment import UserSettings
from local.project.serverless_yml import read_service
from local.stack import Stack, StackOptions
from tests.end_to_end.test_function_failures import service_in
from tests.local.api_gateway.websocket_bench import reset
from tests.running_stack import PATIENCE_S, ROOT
from tests.scripted_upstream import (
    EVENT_STREAM_HEAD,
    GatedAnswer,
    ScriptedUpstream,
    UpstreamRequest,
    chunk,
    delta,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from pathlib import Path

QUESTION = json.dumps({"messages": [{"role": "user", "content": "Hello"}]})
ANSWERS_INLINE = """\
import awslambda

awslambda.after_response = lambda work, *arguments: work(*arguments)

from functions.default.handler import handler
"""


class MovableLoop(asyncio.SelectorEventLoop):
    """An event loop whose timers are due as soon as a test says that their time has come."""

    ahead_s = 0.0

    def time(self) -> float:
        return super().time() + self.ahead_s


def run(test: Callable[[MovableLoop], Coroutine[Any, Any, None]]) -> None:
    loop = MovableLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(test(loop))


@asynccontextmanager
async def running(config: Path, **environ: str) -> AsyncIterator[str]:
    """The stack, without its command line; gives the URL of its WebSocket API."""
    user = UserSettings({"PATH": os.environ["PATH"], **environ}, {})
    service = read_service(config, user.merged())
    console = Console(io.StringIO())
    options = StackOptions(host="127.0.0.1", http_port=0, ws_port=0, concurrency=2)
    try:
        async with Stack(service, user, options, console) as facts:
            yield f"ws://127.0.0.1:{facts.place.ws_port}"
    finally:
        console.close()


def opened(url: str) -> connect:
    # Without pings of its own: the client's timers are in the loop that is moved.
    return connect(url, ping_interval=None, compression=None)


async def receive(client: ClientConnection) -> str:
    frame = await client.recv()
    assert isinstance(frame, str)
    return frame


async def receive_until_end(client: ClientConnection) -> str:
    text = ""
    while (frame := await receive(client)) != "<END>":
        text += frame
    return text


class Announced:
    """A script that says when a request arrived, and then does what another script does."""

    def __init__(self, script: Callable[[UpstreamRequest, socket.socket], None]) -> None:
        self._script = script
        self._arrived = threading.Event()

    def __call__(self, request: UpstreamRequest, connection: socket.socket) -> None:
        self._arrived.set()
        self._script(request, connection)

    async def wait(self) -> None:
        assert await asyncio.to_thread(self._arrived.wait, PATIENCE_S)


def test_answer_that_takes_longer_than_the_integration_may_is_whole(
    upstream: ScriptedUpstream,
) -> None:
    gated = GatedAnswer("said after ", "forty seconds")
    upstream.script = script = Announced(gated)

    async def test(loop: MovableLoop) -> None:
        async with (
            running(ROOT / "serverless.yml", OPENAI_BASE_URL=upstream.url) as url,
            opened(url) as client,
        ):
            await client.send(QUESTION)
            await script.wait()
            loop.ahead_s += INTEGRATION_TIMEOUT_S + 11
            gated.open(3)
            assert await receive_until_end(client) == "said after forty seconds"

    run(test)


def test_function_that_answers_only_with_the_model_is_timed_out(
    upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    """The control of the test above: the same without after_response."""
    gated = GatedAnswer("said after ", "forty seconds")
    upstream.script = script = Announced(gated)
    yaml = (ROOT / "serverless.yml").read_text(encoding="utf-8")
    assert "functions/default/handler.handler" in yaml
    config = service_in(
        tmp_path,
        {
            "functions/default/inline.py": ANSWERS_INLINE,
            "serverless.yml": yaml.replace(
                "functions/default/handler.handler", "functions/default/inline.handler"
            ),
        },
    )

    async def test(loop: MovableLoop) -> None:
        async with running(config, OPENAI_BASE_URL=upstream.url) as url, opened(url) as client:
            await client.send(QUESTION)
            await script.wait()
            loop.ahead_s += INTEGRATION_TIMEOUT_S + 11
            timed_out = json.loads(await receive(client))
            assert timed_out["message"] == "Endpoint request timed out"
            assert timed_out.keys() == {"message", "connectionId", "requestId"}
            gated.open(3)
            # The function itself goes on, as on AWS.
            assert await receive_until_end(client) == "said after forty seconds"

    run(test)


class CountingRelay:
    """Stands before @connections, passes each call on and keeps the status of its answer."""

    def __init__(self) -> None:
        self.statuses: asyncio.Queue[int] = asyncio.Queue()
        self.target = ""

    async def handle(self, request: web.BaseRequest) -> web.Response:
        body = await request.read()
        url = URL(self.target + request.raw_path, encoded=True)
        async with (
            aiohttp.ClientSession() as session,
            # With the Host that was signed.
            session.request(request.method, url, data=body, headers=request.headers) as answer,
        ):
            self.statuses.put_nowait(answer.status)
            return web.Response(status=answer.status, body=await answer.read())

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        at = bind("127.0.0.1", 0, "the relay's port")
        runner = await serve(self.handle, at)
        try:
            yield f"http://127.0.0.1:{port_of(at)}"
        finally:
            await runner.cleanup()


class OneThenMore:
    """A script: one delta, and after a gate more of them until the client is gone."""

    def __init__(self) -> None:
        self.gate = threading.Event()

    def __call__(self, _request: UpstreamRequest, connection: socket.socket) -> None:
        connection.sendall(EVENT_STREAM_HEAD + chunk(delta("one")))
        assert self.gate.wait(PATIENCE_S)
        while True:
            connection.sendall(chunk(delta("more")))


def test_client_that_is_killed_costs_one_post_at_most(upstream: ScriptedUpstream) -> None:
    upstream.script = script = OneThenMore()
    relay = CountingRelay()

    async def test(_loop: MovableLoop) -> None:
        async with (
            relay.listening() as endpoint,
            running(
                ROOT / "serverless.yml", OPENAI_BASE_URL=upstream.url, API_GW_ENDPOINT=endpoint
            ) as url,
        ):
            relay.target = url.replace("ws://", "http://")
            client = await opened(url)
            await client.send(QUESTION)
            assert await receive(client) == "one"
            assert await relay.statuses.get() == 200
            reset(client)
            await client.wait_closed()
            script.gate.set()
            assert await asyncio.to_thread(upstream.gone.wait, PATIENCE_S)
        # None where $disconnect was quicker than the next delta.
        assert relay.statuses.empty() or relay.statuses.get_nowait() == 410
        assert relay.statuses.empty()

    run(test)


@pytest.mark.parametrize("size", [40_000, 200_000])
def test_frame_too_long_reaches_no_function(upstream: ScriptedUpstream, size: int) -> None:
    async def test(_loop: MovableLoop) -> None:
        async with (
            running(ROOT / "serverless.yml", OPENAI_BASE_URL=upstream.url) as url,
            opened(url) as client,
        ):
            question = QUESTION.replace("Hello", "H" * size)
            await client.send(question)
            await client.wait_closed()
            assert client.close_code == 1009
        assert not upstream.requests

    run(test)
