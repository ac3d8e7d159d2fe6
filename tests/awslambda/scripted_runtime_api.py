"""A Runtime API on a raw socket that does what a test says and keeps every byte it receives.

It shares no code with the runtime it tests. It serves one connection at a time.
"""

from __future__ import annotations

import json
import select
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.child_environment import MEASURED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT = Path(__file__).parents[2]
RUNTIME = "/2018-06-01/runtime"
BOOTSTRAP = ROOT / "layers/runtime/bootstrap"
PATIENCE_S = 30.0  # how long a test waits for a child process before it fails
SLEEPS_IN_A_ROW = 10  # checks that must find a process asleep before it counts as waiting
SLEEP_CHECK_S = 0.01  # between two such checks: no event says that another process waits
FRAME_HEAD_BYTES = 16
LINE_END = "\N{SYMBOL FOR NEWLINE}"  # stands for a line end within a log event
REQUEST_ID = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
STREAMED = """
import awslambda, os, sys, time

@awslambda.streamify_response
def handler(event, response_stream, context):
"""
DISPATCHER = """
import awslambda

def handler(event, *stream_and_context):
    names = {}
    exec(compile(event["source"], "served.py", "exec"), names)
    return names["handler"](event["event"], *stream_and_context)
"""
ACCEPTED = b'{"status":"OK"}\n'


@dataclass
class ReceivedRequest:
    """A request as received: headers in order, chunks as they were split."""

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
    """The Runtime API of one runtime process."""

    def __init__(self, log: TelemetryLog | None = None) -> None:
        self._log = log
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(PATIENCE_S)
        self._connection: socket.socket | None = None
        self._buffer = bytearray()
        self._next_is_waiting = False
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
        self._connection, self._buffer, self._next_is_waiting = None, bytearray(), False

    def read_head(self) -> ReceivedRequest:
        """A request's line and headers, on a new connection if the last one has ended."""
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            if not self._receive():
                self.drop_connection()
        if self._log:
            self._log.forward()
        line, *lines = self._take(end + 4)[:end].decode("latin-1").split("\r\n")
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
        self._next_is_waiting = request.target == f"{RUNTIME}/invocation/next"
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
        """Whether the runtime has sent anything unread, on this or a new connection."""
        assert self._connection is not None
        readable, _, _ = select.select([self._connection, self._listener], [], [], 0)
        return bool(self._buffer or readable)

    def expect_next(self) -> None:
        """Wait until the runtime requests the next event."""
        if not self._next_is_waiting:
            request = self.read_request()
            assert (request.method, request.target) == ("GET", f"{RUNTIME}/invocation/next")

    def give_event(self, event: bytes = b"{}", **headers: str) -> None:
        """Answer a request for the next event. Keyword arguments are more headers, _ for -."""
        self.expect_next()
        self._next_is_waiting = False
        known = {
            "Lambda-Runtime-Aws-Request-Id": REQUEST_ID,
            "Lambda-Runtime-Deadline-Ms": "4102444800000",
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:1:function:f",
        }
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.reply(200, event, {**known, **named})

    def expect_answer(self, leaf: str = "response", status: int = 202) -> ReceivedRequest:
        """Read and return the POST that answers the event; reply with the status."""
        request = self.read_request()
        target = f"{RUNTIME}/invocation/{REQUEST_ID}/{leaf}"
        assert (request.method, request.target) == ("POST", target), request.body
        self.reply(status, ACCEPTED)
        return request

    def answer_to(
        self, event: bytes = b"{}", leaf: str = "response", **headers: str
    ) -> ReceivedRequest:
        """Give an event and return the POST that answers it, accepted."""
        self.give_event(event, **headers)
        return self.expect_answer(leaf)

    def _line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            assert self._receive(), "the runtime closed the connection in the middle of a line"
        return self._take(end + 2)[:end]

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            assert self._receive(), "the runtime closed the connection in the middle of a body"
        taken = bytes(memoryview(self._buffer)[:size])
        del self._buffer[:size]
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
class TelemetryLog:
    """Makes a log event of each frame, as Lambda does: here a line of the standard output."""

    frames: Path
    out: Path
    messages: list[tuple[str, str]] = field(default_factory=list)  # with the types of their frames
    _seen: int = 0

    def forward(self) -> None:
        frames = self.frames.read_bytes()
        with self.out.open("ab") as out:
            while self._seen < len(frames):
                kind, length = frames[self._seen :][:4], frames[self._seen :][4:8]
                start = self._seen + FRAME_HEAD_BYTES
                self._seen = start + int.from_bytes(length, "big")
                message = frames[start : self._seen]
                self.messages.append((kind.hex(), message.decode()))
                event = message.removesuffix(b"\n").replace(b"\n", LINE_END.encode())
                out.write(event + b"\n")


@dataclass
class Runtime:
    """A runtime process and its Runtime API."""

    api: RuntimeApi
    process: subprocess.Popen[bytes]
    log: TelemetryLog
    out: Path
    err: Path
    _seen: int = 0

    def serve(
        self, source: str, event: Any = None, leaf: str = "response", **headers: str
    ) -> ReceivedRequest:
        """Let a process with DISPATCHER call the `handler` of this source for one event."""
        return self.api.answer_to(source_event(source, event), leaf, **headers)

    def new_output(self) -> str:
        """The standard output since the last call, once the runtime requests the next event."""
        self.api.expect_next()
        seen, text = self._seen, self.out.read_text(encoding="utf-8")
        self._seen = len(text)
        return text[seen:]

    def finish(self) -> tuple[int, str, str]:
        """Exit code, standard output and standard error, once the process has ended."""
        code = self.process.wait(PATIENCE_S)
        self.log.forward()
        return code, self.out.read_text(encoding="utf-8"), self.err.read_text(encoding="utf-8")

    def end(self) -> tuple[str, str]:
        """Standard output and standard error of the process, which ends without a Runtime API."""
        self.api.close()
        return self.finish()[1:]

    def wait_until_it_sleeps(self) -> None:
        """Wait until the process waits for the kernel, as it does while nobody reads its bytes."""
        wait_until_asleep(self.process.pid)


def wait_until_asleep(process: int) -> None:
    """Wait until a process waits for the kernel. A process that waits for a processor does not."""
    state, seen = Path(f"/proc/{process}/stat"), 0
    while seen < SLEEPS_IN_A_ROW:
        asleep = state.read_text(encoding="ascii").rpartition(")")[2].split()[0] == "S"
        seen = seen + 1 if asleep else 0
        threading.Event().wait(SLEEP_CHECK_S)


@contextmanager
def running(
    folder: Path,
    source: str,
    handler: str = "app.handler",
    command: Sequence[str | Path] = (BOOTSTRAP, sys.executable, "/var/runtime/bootstrap.py"),
    **variables: str,
) -> Iterator[Runtime]:
    """The real bootstrap as a child process, with `source` as the function's app.py.

    As on Lambda it has a descriptor for log messages. An empty variable is left out.
    """
    (folder / "app.py").write_text(source)
    out, err = folder / "stdout", folder / "stderr"
    log = TelemetryLog(folder / "telemetry", out)
    api = RuntimeApi(log)
    with out.open("ab") as to_out, err.open("wb") as to_err, log.frames.open("ab") as to_log:
        environ = {
            **MEASURED,
            "PATH": "/usr/bin:/bin",
            "AWS_LAMBDA_RUNTIME_API": api.address,
            "LAMBDA_TASK_ROOT": str(folder),
            "_HANDLER": handler,
            "_LAMBDA_TELEMETRY_LOG_FD": str(to_log.fileno()),
            "AWS_LAMBDA_FUNCTION_NAME": "f",
            **variables,
        }
        process = subprocess.Popen(
            command,
            env={name: value for name, value in environ.items() if value},
            cwd=folder,
            pass_fds=[to_log.fileno()],
            stdout=to_out,
            stderr=to_err,
        )
    try:
        yield Runtime(api, process, log, out, err)
    finally:
        process.terminate()
        process.wait()
        api.close()


def streamed(*lines: str) -> str:
    """The source of a streaming handler with these lines as its body."""
    return STREAMED + "".join(f"    {line}\n" for line in lines)


def source_event(source: str, event: Any = None) -> bytes:
    """The event with which DISPATCHER calls the `handler` of this source."""
    return json.dumps({"source": source, "event": event}).encode()
