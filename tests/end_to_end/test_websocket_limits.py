"""API Gateway's time limit around real functions: a stack in this process, whose time can pass.

Only the stack's time moves: the functions are processes of their own.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from websockets.asyncio.client import connect

from local.console import Console
from local.limits import INTEGRATION_TIMEOUT_S
from local.open_files import OpenFiles
from local.project.environment import UserSettings
from local.project.serverless_yml import ServiceFile
from local.stack import Stack, StackOptions
from tests.running_stack import PATIENCE_S, ROOT
from tests.scripted_upstream import GatedAnswer, ScriptedUpstream, UpstreamRequest

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator

QUESTION = json.dumps({"messages": [{"role": "user", "content": "Hello"}]})


class MovableLoop(asyncio.SelectorEventLoop):
    """An event loop whose timers are due as soon as a test says that their time has come."""

    ahead_s = 0.0

    def time(self) -> float:
        return super().time() + self.ahead_s


@asynccontextmanager
async def running(**environ: str) -> AsyncIterator[str]:
    """The stack, without its command line; gives the URL of its WebSocket API."""
    user = UserSettings({"PATH": os.environ["PATH"], **environ}, {})
    service = ServiceFile(ROOT / "serverless.yml").service(user.merged())
    console = Console(io.StringIO())
    options = StackOptions("127.0.0.1", 0, 0, concurrency=2, open_files=OpenFiles(1024))
    try:
        async with Stack(service, user, options, console) as facts:
            yield f"ws://127.0.0.1:{facts.place.ws_port}"
    finally:
        console.close()


def test_answer_that_takes_longer_than_the_integration_may_is_whole(
    upstream: ScriptedUpstream,
) -> None:
    arrived = threading.Event()
    gated = GatedAnswer("said after ", "forty seconds")
    loop = MovableLoop()

    def script(request: UpstreamRequest, connection: socket.socket) -> None:
        arrived.set()
        gated(request, connection)

    async def test() -> None:
        async with (
            running(OPENAI_BASE_URL=upstream.url) as url,
            # Without pings of its own: the client's timers are in the loop that is moved.
            connect(url, open_timeout=PATIENCE_S, ping_interval=None, compression=None) as client,
        ):
            await client.send(QUESTION)
            assert await asyncio.to_thread(arrived.wait, PATIENCE_S)
            loop.ahead_s += INTEGRATION_TIMEOUT_S + 11
            gated.open(3)
            text = ""
            while not text.endswith("<END>"):
                text += str(await client.recv())
            assert text == "said after forty seconds<END>"

    upstream.script = script
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(test())
