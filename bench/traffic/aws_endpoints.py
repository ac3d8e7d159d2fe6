"""Endpoints of SSM and DynamoDB that answer at once: parameters from a list, rows from memory.

They know the operations of one item and check no signature, so a reply takes the same time for
all clients.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from bench.traffic.server_process import serve, server_process

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
TARGET = re.compile(rb"\r\nx-amz-target: *([\w.]+)", re.IGNORECASE)
HEAD = (
    "HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/x-amz-json-1.{minor}\r\n"
    "x-amzn-RequestId: 4d1b0b37-0f1e-4ab2-9d0c-5f2f4c8c2f11\r\nContent-Length: {length}\r\n\r\n"
)
SSM = "AmazonSSM"


class RefusedError(Exception):
    """A request that cannot be answered. code: AWS's name of the error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class AwsEndpoints:
    """One account. parameters: values of SSM's SecureStrings by name."""

    def __init__(self, parameters: Mapping[str, str]) -> None:
        self._parameters = parameters
        self._rows: dict[str, Any] = {}

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length, target = LENGTH.search(head), TARGET.search(head)
                body = await reader.readexactly(int(length[1]) if length else 0)
                writer.write(self.reply(target[1].decode() if target else "", body))
        writer.close()

    def reply(self, target: str, body: bytes) -> bytes:
        """The HTTP reply to a request. target: the service with its version, and the operation."""
        service, _, operation = target.partition(".")
        status = HTTPStatus.OK
        try:
            found = self._call(operation, json.loads(body or b"{}"))
        except RefusedError as error:
            status = HTTPStatus.BAD_REQUEST
            found = {"__type": error.code, "message": str(error)}
        text = json.dumps(found).encode()
        minor = 1 if service == SSM else 0
        return HEAD.format(status=status, minor=minor, length=len(text)).encode() + text

    def _call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        match operation:
            case "GetParameter":
                return {"Parameter": self._parameter(request["Name"])}
            case "GetParameters":
                names = request["Names"]
                known = [self._parameter(name) for name in names if name in self._parameters]
                missing = [name for name in names if name not in self._parameters]
                return {"Parameters": known, "InvalidParameters": missing}
            case "PutItem":
                self._rows[_key(request["TableName"], request["Item"])] = request["Item"]
                return {}
            case "GetItem":
                row = self._rows.get(_key(request["TableName"], request["Key"]))
                return {"Item": row} if row else {}
            case "BatchGetItem":
                return {"Responses": self._tables(request["RequestItems"]), "UnprocessedKeys": {}}
        raise RefusedError("UnknownOperationException", f"{operation} is unknown here.")

    def _parameter(self, name: str) -> dict[str, Any]:
        if name not in self._parameters:
            raise RefusedError("ParameterNotFound", f"{name} is missing.")
        value = self._parameters[name]
        return {"Name": name, "Type": "SecureString", "Value": value, "Version": 1}

    def _tables(self, asked: Mapping[str, Any]) -> dict[str, list[Any]]:
        return {
            table: [row for key in each["Keys"] if (row := self._rows.get(_key(table, key)))]
            for table, each in asked.items()
        }


@contextmanager
def aws_endpoints(parameters: Mapping[str, str], certificate: str) -> Iterator[int]:
    """Run both endpoints in a process of their own, over TLS; yield their port on loopback."""
    with server_process(
        "bench.traffic.aws_endpoints", json.dumps(dict(parameters)), certificate
    ) as port:
        yield port


def _key(table: str, row: Mapping[str, Any]) -> str:
    return f"{table} {row['id']['S']}"


if __name__ == "__main__":
    asyncio.run(serve(AwsEndpoints(json.loads(sys.argv[1])).answer, sys.argv[2]))
