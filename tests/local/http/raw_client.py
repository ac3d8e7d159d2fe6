"""An HTTP connection that a test reads piece by piece, even when an answer is truncated."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, list[str]]
    body: bytes
    whole: bool

    def header(self, name: str) -> str:
        return self.headers[name][0]

    def json(self) -> Any:
        return json.loads(self.body)


class RawClient:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.method = "GET"
        self.host = "127.0.0.1"

    @classmethod
    async def connect(cls, port: int) -> Self:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, method: str, target: str, body: bytes = b"", **headers: str) -> Answer:
        self.send(method, target, body, **headers)
        return await self.answer()

    def send(self, method: str, target: str, body: bytes = b"", **headers: str) -> None:
        """Send a request; the names of its header fields may have underscores."""
        self.method = method
        fields = {"host": self.host}
        fields |= {name.lower().replace("_", "-"): value for name, value in headers.items()}
        if "transfer-encoding" not in fields:
            fields.setdefault("content-length", str(len(body)))
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

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()
