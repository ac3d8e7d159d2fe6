"""A Function URL on a free port, its function scripted, for the tests of this folder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from local.function_url.server import FunctionUrl
from local.http.listening import bind, port_of, serve
from local.http.sigv4_verification import SignatureCheck
from tests.local.runtime_api.scripted_invoker import (
    Script,
    ScriptedInvoker,
    failing,
)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, list[str]]
    body: bytes
    whole: bool

    def header(self, name: str) -> str:
        return self.headers[name][0]


class Client:
    """One HTTP connection, read byte by byte as a browser would."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.method = "GET"

    def send(self, method: str, target: str, body: bytes = b"", **headers: str) -> None:
        self.method = method
        fields = {"host": "url.local", "content-length": str(len(body))}
        fields |= {name.lower().replace("_", "-"): value for name, value in headers.items()}
        lines = [f"{method} {target} HTTP/1.1", *(f"{k}: {v}" for k, v in fields.items())]
        self.writer.write("\r\n".join([*lines, "", ""]).encode() + body)

    async def head(self) -> tuple[int, dict[str, list[str]]]:
        first, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        headers: dict[str, list[str]] = {}
        for line in lines:
            name, _, value = line.partition(": ")
            headers.setdefault(name.lower(), []).append(value)
        return int(first.split()[1]), headers

    async def chunk(self) -> bytes:
        size = int(await self.reader.readline(), 16)
        return (await self.reader.readexactly(size + 2))[:-2]

    async def answer(self) -> Answer:
        status, headers = await self.head()
        body, whole = b"", True
        try:
            if self.method == "HEAD" or status in {204, 304}:
                pass
            elif "transfer-encoding" in headers:
                while data := await self.chunk():
                    body += data
            else:
                body = await self.reader.readexactly(int(headers["content-length"][0]))
        except asyncio.IncompleteReadError as error:
            body, whole = body + error.partial, False
        except ValueError:
            whole = False
        return Answer(status, headers, body, whole)

    async def ask(self, method: str, target: str, body: bytes = b"", **headers: str) -> Answer:
        self.send(method, target, body, **headers)
        return await self.answer()


class Bench:
    def __init__(self, invoker: ScriptedInvoker, port: int) -> None:
        self.invoker = invoker
        self.port = port
        self.clients: list[Client] = []

    async def client(self) -> Client:
        self.clients.append(Client(*await asyncio.open_connection("127.0.0.1", self.port)))
        return self.clients[-1]

    async def ask(self, method: str, target: str, body: bytes = b"", **headers: str) -> Answer:
        return await (await self.client()).ask(method, target, body, **headers)


@asynccontextmanager
async def serving(
    script: Script | None,
    check: SignatureCheck | None = None,
    health: Mapping[str, bool] | None = None,
) -> AsyncIterator[Bench]:
    """Serve a Function URL whose function follows `script`; None: no function has a URL."""
    invoker = ScriptedInvoker(script or failing())
    url = FunctionUrl(invoker if script else None, check, lambda: health or {})
    listening = bind("127.0.0.1", 0, "--http-port")
    runner = await serve(url.handle, listening)
    it = Bench(invoker, port_of(listening))
    try:
        yield it
    finally:
        for client in it.clients:
            client.writer.close()
        await runner.cleanup()
