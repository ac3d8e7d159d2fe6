"""A model API on a real socket that does what a test says, and keeps its requests.

A script gets the request and the connection, and decides what to send, and when.
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Script = Callable[["UpstreamRequest", socket.socket], None]

PATIENCE_S = 30.0  # how long a test waits before it fails

EVENT_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nx-request-id: req_upstream\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
LAST_CHUNK = b"0\r\n\r\n"


@dataclass
class UpstreamRequest:
    method: str
    target: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.body)
        return document


@dataclass
class ScriptedUpstream:
    """`script` answers every request until a test sets another; it runs in a thread of its own."""

    url: str
    script: Script
    requests: list[UpstreamRequest] = field(default_factory=list)
    gone: threading.Event = field(default_factory=threading.Event)
    """Set when a script found its client gone."""
    connections: int = 0

    def renewed(self, script: Script) -> ScriptedUpstream:
        """The same one, for the next test."""
        self.script = script
        self.requests.clear()
        self.gone.clear()
        return self


def sse(document: dict[str, Any] | str) -> bytes:
    """One event."""
    data = document if isinstance(document, str) else json.dumps(document)
    return b"data: " + data.encode() + b"\n\n"


def delta(text: str) -> bytes:
    """The event of one piece of an answer's text."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return sse({"id": "c", "object": "chat.completion.chunk", "choices": [choice]})


def answer_stream(texts: Iterable[str]) -> bytes:
    """The events of a whole answer, as providers send it."""
    role = sse({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
    stop = sse({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    usage = sse({"choices": [], "usage": {"total_tokens": 3}})
    return role + b"".join(map(delta, texts)) + stop + usage + sse("[DONE]")


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def says(*texts: str) -> Script:
    """A script: stream these texts as an answer."""

    def script(_request: UpstreamRequest, connection: socket.socket) -> None:
        connection.sendall(EVENT_STREAM_HEAD + chunk(answer_stream(texts)) + LAST_CHUNK)

    return script


def sends(
    body: bytes, content_type: str = "application/octet-stream", status: int = 200, **headers: str
) -> Script:
    """A script: one reply, without its body for HEAD. Keyword arguments: headers, with _ for -."""
    named = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = (
        f"HTTP/1.1 {status} Status\r\nContent-Type: {content_type}\r\n{named}"
        f"Content-Length: {len(body)}\r\n\r\n"
    )

    def script(request: UpstreamRequest, connection: socket.socket) -> None:
        connection.sendall(head.encode() + (b"" if request.method == "HEAD" else body))

    return script


def replies(status: int, document: object, **headers: str) -> Script:
    """A script: one JSON reply; keyword arguments as for `sends`."""
    return sends(json.dumps(document).encode(), "application/json", status, **headers)


def one_after_another(*scripts: Script) -> Script:
    """A script: each request gets the next of these, and all later ones the last."""
    left = list(scripts)

    def script(request: UpstreamRequest, connection: socket.socket) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(request, connection)

    return script


def silent_until(done: threading.Event) -> Script:
    """A script: read the request and send nothing."""

    def script(_request: UpstreamRequest, _connection: socket.socket) -> None:
        done.wait(PATIENCE_S)

    return script


def holds_after(*sends: bytes) -> Script:
    """A script: send these one by one, then nothing until the client is gone."""

    def script(_request: UpstreamRequest, connection: socket.socket) -> None:
        for data in sends:
            connection.sendall(data)
        connection.settimeout(PATIENCE_S)
        sent_by_client = connection.recv(1)
        assert sent_by_client == b"", "the next request came before the end of this answer"
        raise ConnectionAbortedError

    return script


def dies_after(data: bytes) -> Script:
    """A script: send this and close the connection."""

    def script(_request: UpstreamRequest, connection: socket.socket) -> None:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_RDWR)

    return script


hangs_up = dies_after(b"")
"""A script: read the request and close the connection."""


def endless(*firsts: str) -> Script:
    """A script: stream these texts, then more until the client is gone."""

    def script(_request: UpstreamRequest, connection: socket.socket) -> None:
        connection.sendall(EVENT_STREAM_HEAD + b"".join(chunk(delta(text)) for text in firsts))
        while True:
            connection.sendall(chunk(delta("more")))

    return script


class GatedAnswer:
    """A script whose deltas each wait at a gate that the test opens."""

    def __init__(self, *texts: str) -> None:
        self._texts = texts
        self._gate = threading.Semaphore(0)
        self.sent: list[str] = []

    def open(self, deltas: int = 1) -> None:
        self._gate.release(deltas)

    def __call__(self, _request: UpstreamRequest, connection: socket.socket) -> None:
        connection.sendall(EVENT_STREAM_HEAD)
        for text in self._texts:
            assert self._gate.acquire(timeout=PATIENCE_S)
            self.sent.append(text)
            connection.sendall(chunk(delta(text)))
        assert self._gate.acquire(timeout=PATIENCE_S)
        connection.sendall(chunk(sse("[DONE]")) + LAST_CHUNK)


@contextmanager
def scripted_upstream(tls: ssl.SSLContext | None = None) -> Iterator[ScriptedUpstream]:
    listener = socket.create_server(("127.0.0.1", 0))
    host, port = listener.getsockname()
    upstream = ScriptedUpstream(f"http://{host}:{port}/v1", says("Hel", "lo"))
    connections: list[socket.socket] = []
    acceptor = threading.Thread(
        target=_accept, args=(listener, upstream, connections, tls), name="upstream", daemon=True
    )
    acceptor.start()
    try:
        yield upstream
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join(PATIENCE_S)
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


@cache
def _closed() -> socket.socket:
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    return taken


def closed_port() -> int:
    """A port that refuses connections. It stays bound, so that no other process opens it."""
    port: int = _closed().getsockname()[1]
    return port


def refused_url() -> str:
    """A base URL whose port is closed."""
    return f"http://127.0.0.1:{closed_port()}/v1"


def _accept(
    listener: socket.socket,
    upstream: ScriptedUpstream,
    connections: list[socket.socket],
    tls: ssl.SSLContext | None,
) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return  # the listener was closed: the test is over
        with suppress(OSError):  # a client that does not trust us is already gone
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connections.append(connection)
            upstream.connections += 1
            connection = tls.wrap_socket(connection, server_side=True) if tls else connection
            threading.Thread(target=_serve, args=(connection, upstream), daemon=True).start()


def _serve(connection: socket.socket, upstream: ScriptedUpstream) -> None:
    try:
        with connection.makefile("rb") as stream:
            while (request := _read_request(stream)) is not None:
                upstream.requests.append(request)
                upstream.script(request, connection)
    except (OSError, ValueError):
        upstream.gone.set()
    finally:
        connection.close()


def _read_request(stream: Any) -> UpstreamRequest | None:
    line = stream.readline().decode()
    if not line:
        return None
    method, target, _ = line.split(" ")
    headers = {}
    while (header := stream.readline().decode("utf-8", "surrogateescape").strip()) != "":
        name, _, value = header.partition(":")
        headers[name.lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", 0)))
    return UpstreamRequest(method, target, headers, body)
