"""A function's side of the Runtime API on raw bytes, for tests."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ROOT = "/2018-06-01/runtime"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class RuntimeClient:
    """One connection to the Runtime API at `address`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, address: str) -> RuntimeClient:
        host, port = address.split(":")
        return cls(*await asyncio.open_connection(host, int(port)))

    async def get_next(self) -> Reply:
        return await self.call("GET", "/invocation/next")

    async def post(self, path: str, body: bytes = b"{}", **headers: str) -> Reply:
        return await self.call("POST", path, body, **headers)

    async def call(self, method: str, path: str, body: bytes = b"", **headers: str) -> Reply:
        fields = {"host": "h", "content-length": str(len(body)), **_dashed(headers)}
        self.send(_head(method, path, fields) + body)
        return await self.reply()

    def begin_stream(self, request_id: str, **headers: str) -> None:
        fields = {
            "host": "h",
            "transfer-encoding": "chunked",
            "lambda-runtime-function-response-mode": "streaming",
            "trailer": "Lambda-Runtime-Function-Error-Type",
            **_dashed(headers),
        }
        self.send(_head("POST", f"/invocation/{request_id}/response", fields))

    def chunk(self, data: bytes) -> None:
        self.send(b"%x\r\n%b\r\n" % (len(data), data))

    def end_stream(self, failure: Mapping[str, str] | None = None) -> None:
        trailers = b""
        if failure is not None:
            body = base64.b64encode(json.dumps(failure).encode())
            trailers = (
                b"Lambda-Runtime-Function-Error-Type: %b\r\n" % failure["errorType"].encode()
                + b"Lambda-Runtime-Function-Error-Body: %b\r\n" % body
            )
        self.send(b"0\r\n%b\r\n" % trailers)

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def reply(self) -> Reply:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        body = await self.reader.readexactly(int(headers["content-length"]))
        return Reply(int(first.split()[1]), headers, body)

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


def _dashed(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def _head(method: str, path: str, fields: Mapping[str, str]) -> bytes:
    lines = [f"{method} {ROOT}{path} HTTP/1.1", *(f"{k}: {v}" for k, v in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode()
