"""A WebSocket API on a free port, its functions scripted, for the tests of this folder."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from aiohttp import web
from botocore.credentials import Credentials as SigningKeys
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from yarl import URL

from local.api_gateway.server import Routes, WebSocketApi
from local.http.listening import bind, port_of, serve
from local.http.refusals import RefusalLog
from local.http.sigv4_verification import SignatureCheck
from local.project.environment import Credentials
from tests.local.hand_clock import HandClock
from tests.local.http.signing import LOCAL, REGION, signed_headers
from tests.local.runtime_api.scripted_invoker import Script, ScriptedInvoker, buffered
from tests.scripted_upstream import PATIENCE_S

CHECK = SignatureCheck(Credentials("local", "local"), "execute-api", REGION)
MAX_CONNECTIONS = 8
OK = buffered({"statusCode": 200})
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Bench:
    def __init__(
        self,
        api: WebSocketApi,
        invokers: Mapping[str, ScriptedInvoker],
        server: web.Server,
        port: int,
        clock: HandClock,
        lines: list[str],
    ) -> None:
        self.lines = lines  # of the console
        self.api = api
        self.clock = clock
        self.server = server
        self.invokers = invokers
        self.port = port
        self.http = aiohttp.ClientSession()

    def connect(self, path: str = "/", **options: Any) -> connect:
        patient: dict[str, Any] = {"open_timeout": PATIENCE_S, "compression": None}
        return connect(f"ws://127.0.0.1:{self.port}{path}", **patient | options)

    async def event(self, route: str) -> Any:
        return await self.invokers[route].events.get()

    async def opened(self) -> str:
        """Return the id of the connection that was opened last."""
        return str((await self.event("$connect"))["requestContext"]["connectionId"])

    async def call(
        self,
        method: str,
        connection_id: str,
        body: bytes = b"",
        stage: str = "",
        keys: SigningKeys = LOCAL,
    ) -> aiohttp.ClientResponse:
        path = f"{stage}/@connections/{quote(connection_id, safe='')}"
        url = f"http://127.0.0.1:{self.port}{path}"
        headers = signed_headers(method, url, body, keys=keys, service="execute-api")
        async with self.http.request(
            method, URL(url, encoded=True), data=body, headers=headers
        ) as response:
            await response.read()
            return response


@asynccontextmanager
async def serving(auth: str = "none", **scripts: Script) -> AsyncIterator[Bench]:
    """Serve a WebSocket API; `on_connect=` is the script of `$connect`, and so on."""
    clock = HandClock()
    routes = {"$connect": OK, "$default": OK, "sendmessage": OK, "$disconnect": OK}
    routes |= {name.replace("on_", "$"): script for name, script in scripts.items()}
    invokers = {route: ScriptedInvoker(script) for route, script in routes.items()}
    lines: list[str] = []
    routes_of_api = Routes(invokers, "$request.body.action", "dev")
    api = WebSocketApi(
        routes_of_api, CHECK, auth, RefusalLog(lines.append, clock), MAX_CONNECTIONS, clock
    )
    listening = bind("127.0.0.1", 0, "--ws-port")
    runner = await serve(api.handle, listening)
    assert isinstance(runner.server, web.Server)
    it = Bench(api, invokers, runner.server, port_of(listening), clock, lines)
    try:
        yield it
    finally:
        await it.http.close()
        await api.close()
        await runner.cleanup()


async def next_json(client: ClientConnection) -> Any:
    """Return the next frame, parsed."""
    return json.loads(await client.recv())


async def closed_with(client: ClientConnection) -> int | None:
    with pytest.raises(ConnectionClosed):
        await client.recv()
    return client.close_code


def reset(client: ClientConnection) -> None:
    """End the connection as a machine does that was switched off: RST, no close frame."""
    raw: socket.socket = client.transport.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.transport.abort()
