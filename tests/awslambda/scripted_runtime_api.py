"""A Runtime API on a raw socket that does what a test says, and keeps every byte it was sent.

It shares no code with the runtime it judges. It serves one connection after the other.
"""

from __future__ import annotations

import select
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parents[2]
BOOTSTRAP = ROOT / "layers/runtime/bootstrap"
PATIENCE_S = 20.0  # how long a test waits for a child before it has failed
SLEEPS_IN_A_ROW = 10  # looks at a process that find it asleep before it counts as waiting
REQUEST_ID = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
STREAMED = """
import awslambda, os, sys, time

@awslambda.streamify_response
def handler(event, response_stream, context):
"""
ACCEPTED = b'{"status":"OK"}\n'


@dataclass
class ReceivedRequest:
    """A request as it came: headers in order, chunks as they were cut."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    chunks: list[bytes] = field(default_factory=list)
    trailers: list[tuple[str, str]] = field(default_factory=list)

    def header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return values[-1] if values else None


class RuntimeApi:
    """The server's side of one runtime process."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(PATIENCE_S)
        self._connection: socket.socket | None = None
        self._buffer = b""
        self.connections_made = 0

    @property
    def address(self) -> str:
        host, port = self._listener.getsockname()
        return f"{host}:{port}"

    def close(self) -> None:
        self.drop_connection()
        self._listener.close()

    def drop_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection, self._buffer = None, b""

    def read_head(self) -> ReceivedRequest:
        """A request's line and headers, on a new connection where the last one has ended."""
        while b"\r\n\r\n" not in self._buffer:
            if not self._receive():
                self.drop_connection()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        line, *lines = head.decode("latin-1").split("\r\n")
        method, target, version = line.split(" ")
        assert version == "HTTP/1.1"
        pairs = [header.split(": ", 1) for header in lines]
        return ReceivedRequest(method, target, [(name, value) for name, value in pairs])

    def read_request(self) -> ReceivedRequest:
        request = self.read_head()
        if request.header("transfer-encoding") == "chunked":
            while (chunk := self.read_chunk()) != b"":
                request.chunks.append(chunk)
            request.trailers = self.read_trailers()
            request.body = b"".join(request.chunks)
        else:
            request.body = self._take(int(request.header("content-length") or 0))
        return request

    def read_chunk(self) -> bytes:
        """The next chunk; empty for the last, whose trailers are still to be read."""
        size = int(self._line(), 16)
        chunk = self._take(size)
        if size:
            assert self._take(2) == b"\r\n"
        return chunk

    def read_trailers(self) -> list[tuple[str, str]]:
        trailers = []
        while line := self._line():
            name, _, value = line.decode().partition(": ")
            trailers.append((name, value))
        return trailers

    def reply(
        self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def send(self, data: bytes) -> None:
        assert self._connection is not None
        self._connection.sendall(data)

    def has_been_sent_more(self) -> bool:
        """Whether the runtime has sent anything, here or on a new connection, that was not read."""
        assert self._connection is not None
        readable, _, _ = select.select([self._connection, self._listener], [], [], 0)
        return bool(self._buffer or readable)

    def expect_next(self) -> None:
        request = self.read_request()
        assert (request.method, request.target) == ("GET", "/2018-06-01/runtime/invocation/next")

    def give_event(self, event: bytes = b"{}", **headers: str) -> None:
        """Answer a GET next. Keyword arguments are further headers, _ for -."""
        known = {
            "Lambda-Runtime-Aws-Request-Id": REQUEST_ID,
            "Lambda-Runtime-Deadline-Ms": "4102444800000",
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:1:function:f",
        }
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.reply(200, event, {**known, **named})

    def expect_answer(self, leaf: str = "response") -> ReceivedRequest:
        """Read a POST for the event, accept it, and give it back."""
        request = self.read_request()
        target = f"/2018-06-01/runtime/invocation/{REQUEST_ID}/{leaf}"
        assert (request.method, request.target) == ("POST", target), request.body
        self.reply(202, ACCEPTED)
        return request

    def _line(self) -> bytes:
        while b"\r\n" not in self._buffer:
            assert self._receive(), "the runtime closed the connection in the middle of a line"
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return line

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            assert self._receive(), "the runtime closed the connection in the middle of a body"
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def _receive(self) -> bool:
        if self._connection is None:
            self._connection, _ = self._listener.accept()
            self._connection.settimeout(PATIENCE_S)
            self.connections_made += 1
        data = self._connection.recv(1 << 20)
        self._buffer += data
        return bool(data)


@dataclass
class Runtime:
    """A runtime process and the Runtime API it speaks with."""

    api: RuntimeApi
    process: subprocess.Popen[bytes]
    out: Path
    err: Path

    def __enter__(self) -> Self:
        return self

    def finish(self) -> tuple[int, str, str]:
        """Exit code, standard output, standard error, once the process has ended."""
        code = self.process.wait(PATIENCE_S)
        return code, self.out.read_text(encoding="utf-8"), self.err.read_text(encoding="utf-8")

    def wait_until_it_sleeps(self) -> None:
        """Wait until the process waits for the kernel, as it does when nobody takes its bytes."""
        state, seen = Path(f"/proc/{self.process.pid}/stat"), 0
        while seen < SLEEPS_IN_A_ROW:
            asleep = state.read_text(encoding="ascii").rpartition(")")[2].split()[0] == "S"
            seen = seen + 1 if asleep else 0
            threading.Event().wait(0.01)  # nothing tells when another process has stopped

    def end(self) -> tuple[str, str]:
        """Let the process end: no Runtime API, no runtime. Its outputs."""
        self.api.close()
        return self.finish()[1:]


@contextmanager
def running(
    folder: Path, source: str, handler: str = "app.handler", **variables: str
) -> Iterator[Runtime]:
    """The real bootstrap as a child process, with `source` as /var/task/app.py."""
    (folder / "app.py").write_text(source)
    api = RuntimeApi()
    environ = {
        "PATH": "/usr/bin:/bin",
        "AWS_LAMBDA_RUNTIME_API": api.address,
        "LAMBDA_TASK_ROOT": str(folder),
        "_HANDLER": handler,
        "AWS_LAMBDA_FUNCTION_NAME": "f",
        **variables,
    }
    out, err = folder / "stdout", folder / "stderr"
    with out.open("wb") as to_out, err.open("wb") as to_err:
        process = subprocess.Popen(
            [BOOTSTRAP, sys.executable, "/var/runtime/bootstrap.py"],
            env=environ,
            stdout=to_out,
            stderr=to_err,
        )
    try:
        yield Runtime(api, process, out, err)
    finally:
        api.close()
        process.kill()
        process.wait()


def streamed(*lines: str) -> str:
    """The source of a streaming handler with these lines as its body."""
    return STREAMED + "".join(f"    {line}\n" for line in lines)
