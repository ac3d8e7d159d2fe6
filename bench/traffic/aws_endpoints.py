"""Endpoints of SSM and DynamoDB: parameters from a list, rows from memory.

They know the operations of one item and check neither signatures nor conditions, so a reply takes
the same time for all clients.
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
ADDED = re.compile(r"(#\d+) = if_not_exists\(#\d+, :\d+\) \+ (:\d+)")
PUT = re.compile(r"(#\d+) = (:\d+)")
REMOVED = re.compile(r"#\d+")
"""What Sluice's update expressions consist of."""


class RefusedError(Exception):
    """A request that cannot be answered. code: AWS's name of the error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class AwsEndpoints:
    """One account. parameters: values of SSM's SecureStrings by name.

    delay_s: before each reply.
    """

    def __init__(self, parameters: Mapping[str, str], delay_s: float = 0.0) -> None:
        self._parameters = parameters
        self._delay_s = delay_s
        self._rows: dict[str, Any] = {}

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length, target = LENGTH.search(head), TARGET.search(head)
                body = await reader.readexactly(int(length[1]) if length else 0)
                if self._delay_s:
                    await asyncio.sleep(self._delay_s)
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
            case "UpdateItem":
                return {"Attributes": self._updated(request)}
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

    def _updated(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The row after an update as sluice.state.expressions writes them."""
        key = _key(request["TableName"], request["Key"])
        names, values = request["ExpressionAttributeNames"], request["ExpressionAttributeValues"]
        sets, _, removes = request["UpdateExpression"].partition("REMOVE ")
        row = {**request["Key"], **self._rows.get(key, {})}
        for name, value in ADDED.findall(sets):
            number = int(row.get(names[name], {"N": "0"})["N"]) + int(values[value]["N"])
            row[names[name]] = {"N": str(number)}
        row |= {names[name]: values[value] for name, value in PUT.findall(sets)}
        for name in REMOVED.findall(removes):
            row.pop(names[name], None)
        self._rows[key] = row
        return row

    def _tables(self, asked: Mapping[str, Any]) -> dict[str, list[Any]]:
        return {
            table: [row for key in each["Keys"] if (row := self._rows.get(_key(table, key)))]
            for table, each in asked.items()
        }


@contextmanager
def aws_endpoints(
    parameters: Mapping[str, str], certificate: str, delay_s: float = 0.0
) -> Iterator[int]:
    """Run both endpoints in a process of their own, over TLS; yield their port on loopback.

    delay_s: before each reply.
    """
    arguments = json.dumps(dict(parameters)), certificate, str(delay_s)
    with server_process("bench.traffic.aws_endpoints", *arguments) as port:
        yield port


def _key(table: str, row: Mapping[str, Any]) -> str:
    return f"{table} {row['id']['S']}"


if __name__ == "__main__":
    endpoints = AwsEndpoints(json.loads(sys.argv[1]), float(sys.argv[3]))
    asyncio.run(serve(endpoints.answer, sys.argv[2]))
