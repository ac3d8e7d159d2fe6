"""A function's process that follows a script; the local stack starts it in tests.

Speaks the Runtime API on a raw socket with nothing but the standard library. The last part of
the handler string says how to start; the steps of an event (`steps`, or those in its JSON
`body`) say how to answer it. An event without steps is answered with itself.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = "/2018-06-01/runtime"
FOREVER_S = 3600


class RuntimeSocket:
    def __init__(self, address: str) -> None:
        self.host = f"host: {address}"
        host, port = address.split(":")
        self._socket = socket.create_connection((host, int(port)))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def call(
        self, method: str, path: str, body: bytes = b"", headers: tuple[str, ...] = ()
    ) -> tuple[dict[str, str], bytes]:
        lines = (
            f"{method} {ROOT}{path} HTTP/1.1",
            self.host,
            f"content-length: {len(body)}",
        )
        self.send("\r\n".join((*lines, *headers, "", "")).encode() + body)
        return self.reply()

    def reply(self) -> tuple[dict[str, str], bytes]:
        if not self._file.readline():
            sys.exit(0)
        headers = {}
        while (line := self._file.readline().strip()) != b"":
            name, _, value = line.decode().partition(": ")
            headers[name.lower()] = value
        return headers, self._file.read(int(headers["content-length"]))


class Answering:
    """Takes the steps of one event."""

    def __init__(self, runtime: RuntimeSocket, request_id: str, headers: dict[str, str]) -> None:
        self._runtime = runtime
        self._path = f"/invocation/{request_id}"
        self._headers = headers
        self._invocation = (
            f"lambda-runtime-invocation-id: {headers['lambda-runtime-invocation-id']}"
        )

    def answer(self, value: object) -> None:
        self._runtime.call(
            "POST", f"{self._path}/response", json.dumps(value).encode(), (self._invocation,)
        )

    def answer_headers(self) -> None:
        self.answer(self._headers)

    def answer_environment(self, *names: str) -> None:
        self.answer({name: os.environ.get(name) for name in names} | {"cwd": str(Path.cwd())})

    def answer_pid(self) -> None:
        self.answer(os.getpid())

    def error(self, error_type: str, message: str) -> None:
        body = json.dumps({"errorType": error_type, "errorMessage": message}).encode()
        self._runtime.call("POST", f"{self._path}/error", body)

    def begin(self, content_type: str) -> None:
        lines = (
            f"POST {ROOT}{self._path}/response HTTP/1.1",
            self._runtime.host,
            "transfer-encoding: chunked",
            "Lambda-Runtime-Function-Response-Mode: streaming",
            f"content-type: {content_type}",
            self._invocation,
        )
        self._runtime.send("\r\n".join((*lines, "", "")).encode())

    def prelude(self, metadata: object) -> None:
        self.begin("application/vnd.awslambda.http-integration-response")
        self._chunk(json.dumps(metadata).encode())
        self._chunk(b"\0" * 8)

    def write(self, text: str) -> None:
        self._chunk(text.encode())

    def _chunk(self, data: bytes) -> None:
        self._runtime.send(b"%x\r\n%b\r\n" % (len(data), data))

    def end(self) -> None:
        self._runtime.send(b"0\r\n\r\n")
        self._runtime.reply()

    def gate(self, port: int) -> None:
        with socket.create_connection(("127.0.0.1", port)) as gate:
            gate.recv(1)

    def print(self, text: str) -> None:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    def answer_grandchild(self) -> None:
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
        self.answer(child.pid)

    def exit(self, status: int) -> None:
        os._exit(status)

    def hang(self) -> None:
        time.sleep(FOREVER_S)

    def ignore_sigterm(self) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def steps_of(event: Any) -> list[list[Any]]:
    if not isinstance(event, dict):
        return [["answer", event]]
    if "steps" in event:
        return list(event["steps"])
    try:
        steps = json.loads(event.get("body") or "null")["steps"]
    except (ValueError, TypeError, KeyError):
        return [["answer", {"statusCode": 200, "body": json.dumps(event)}]]
    return list(steps)


def start(runtime: RuntimeSocket, how: str) -> None:
    if how == "init_error":
        print("about to fail")  # noqa: T201 - the line is what a test looks for
        body = json.dumps({"errorType": "Runtime.ImportModuleError", "errorMessage": "no x"})
        runtime.call("POST", "/init/error", body.encode())
        sys.exit(1)
    if how == "init_exit":
        print("bye", file=sys.stderr)  # noqa: T201 - the same
        sys.exit(3)
    if how == "init_hang":
        print("hanging as", os.getpid(), flush=True)  # noqa: T201 - the same
        time.sleep(FOREVER_S)


def main() -> None:
    runtime = RuntimeSocket(os.environ["AWS_LAMBDA_RUNTIME_API"])
    start(runtime, os.environ["_HANDLER"].rpartition(".")[2])
    while True:
        headers, body = runtime.call("GET", "/invocation/next")
        answering = Answering(runtime, headers["lambda-runtime-aws-request-id"], headers)
        for step, *arguments in steps_of(json.loads(body)):
            getattr(answering, step)(*arguments)


if __name__ == "__main__":
    main()
