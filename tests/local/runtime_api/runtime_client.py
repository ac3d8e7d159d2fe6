"""A function's side of the Runtime API, for tests."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Self

from tests.local.http.raw_client import Answer, RawClient

ROOT = "/2018-06-01/runtime"


class RuntimeClient(RawClient):
    @classmethod
    async def connect(cls, port: int) -> Self:
        client = await super().connect(port)
        client.host = f"127.0.0.1:{port}"
        return client

    async def get_next(self) -> Answer:
        return await self.ask("GET", f"{ROOT}/invocation/next")

    async def post(self, path: str, body: bytes = b"{}", **headers: str) -> Answer:
        return await self.ask("POST", f"{ROOT}{path}", body, **headers)

    def begin_stream(self, request_id: str, **headers: str) -> None:
        path = f"{ROOT}/invocation/{request_id}/response"
        fields = {"lambda_runtime_function_response_mode": "streaming", **headers}
        self.send("POST", path, b"", transfer_encoding="chunked", **fields)

    def send_chunk(self, data: bytes) -> None:
        self.writer.write(b"%x\r\n%b\r\n" % (len(data), data))

    def end_stream(self, failure: Mapping[str, str] | None = None) -> None:
        trailers = ""
        if failure is not None:
            body = base64.b64encode(json.dumps(failure).encode()).decode()
            trailers = (
                f"Lambda-Runtime-Function-Error-Type: {failure['errorType']}\r\n"
                f"Lambda-Runtime-Function-Error-Body: {body}\r\n"
            )
        self.writer.write(f"0\r\n{trailers}\r\n".encode())
