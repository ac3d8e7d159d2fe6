"""A Function URL on a free port, its function scripted, for the tests of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager

from local.function_url.door import UrlDoor
from local.function_url.server import FunctionUrl
from local.http.listening import bind, port_of, serve
from local.http.refusals import RefusalLog
from local.http.sigv4_verification import SignatureCheck
from local.playground.page import Playground
from tests.local.http.raw_client import Answer, RawClient
from tests.local.runtime_api.scripted_invoker import (
    Script,
    ScriptedInvoker,
    failing,
)


class Bench:
    def __init__(self, invoker: ScriptedInvoker, port: int, lines: list[str]) -> None:
        self.invoker = invoker
        self.port = port
        self.lines = lines  # of the console
        self.clients: list[RawClient] = []

    async def client(self) -> RawClient:
        self.clients.append(await RawClient.connect(self.port))
        return self.clients[-1]

    async def ask(self, method: str, target: str, body: bytes = b"", **headers: str) -> Answer:
        return await (await self.client()).ask(method, target, body, **headers)


@asynccontextmanager
async def serving(
    script: Script | None,
    check: SignatureCheck | None = None,
    health: Mapping[str, bool] | None = None,
    forward_keys: Collection[str] = (),
    playground: Playground | None = None,
) -> AsyncIterator[Bench]:
    """Serve a Function URL whose function follows `script`; None: no function has a URL."""
    invoker = ScriptedInvoker(script or failing())
    lines: list[str] = []
    url = FunctionUrl(
        invoker if script else None,
        UrlDoor(check, forward_keys),
        lambda: health or {},
        RefusalLog(lines.append),
        playground=playground,
    )
    listening = bind("127.0.0.1", 0, "--http-port")
    runner = await serve(url.handle, listening)
    it = Bench(invoker, port_of(listening), lines)
    try:
        yield it
    finally:
        for client in it.clients:
            await client.close()
        await runner.cleanup()
