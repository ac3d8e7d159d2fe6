"""Replies as nobody would write them: cut anywhere, in odd cases, without headers, after drops."""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from awslambda.errors import RuntimeApiError
from awslambda.runtime_client import RuntimeClient
from awslambda.runtime_log import RuntimeLog

if TYPE_CHECKING:
    from collections.abc import Callable

    from awslambda.runtime_api import Invocation

OPTIONAL = {
    "Lambda-Runtime-Deadline-Ms": ("deadline_ms", "1795161600000", 0),
    "Lambda-Runtime-Invoked-Function-Arn": ("function_arn", "arn:aws:lambda:x", ""),
    "Lambda-Runtime-Trace-Id": ("trace_id", "Root=1-2-3;Sampled=1", None),
    "Lambda-Runtime-Client-Context": ("client_context", '{"custom":{"a":"b: c"}}', None),
    "Lambda-Runtime-Cognito-Identity": ("cognito_identity", "{}", None),
    "Lambda-Runtime-Aws-Tenant-Id": ("tenant_id", "t", None),
    "Lambda-Runtime-Invocation-Id": ("invocation_id", "i-1", None),
}
PATIENCE_S = 20.0


def any_case(text: str) -> st.SearchStrategy[str]:
    flips = st.lists(st.booleans(), min_size=len(text), max_size=len(text))
    return flips.map(
        lambda up: "".join(c.upper() if u else c.lower() for c, u in zip(text, up, strict=True))
    )


@dataclass(frozen=True)
class Scripted:
    """A reply, how it is cut, how often the connection is dropped before it, and what it says."""

    reply: bytes
    cuts: tuple[int, ...]
    drops: tuple[int, ...]
    """How much of the reply each earlier connection gave before it was dropped."""
    fields: dict[str, object]


@st.composite
def replies(draw: st.DrawFn) -> Scripted:
    event = draw(st.binary(max_size=200))
    names = draw(st.lists(st.sampled_from(sorted(OPTIONAL)), unique=True))
    fields: dict[str, object] = {field: default for field, _, default in OPTIONAL.values()}
    fields |= {"request_id": "r-1", "event": event}
    lines = [draw(any_case("Lambda-Runtime-Aws-Request-Id")) + ": r-1"]
    for name in names:
        field, value, _ = OPTIONAL[name]
        fields[field] = int(value) if field == "deadline_ms" else value
        lines.append(draw(any_case(name)) + draw(st.sampled_from([":", ": ", ":  "])) + value)
    lines.append(draw(st.sampled_from(["X-Unknown: 1", "Content-Type: application/json"])))
    body, framing = draw(framed(event))
    head = ["HTTP/1.1 200 OK", *draw(st.permutations([*lines, framing]))]
    reply = "\r\n".join([*head, "", ""]).encode() + body
    cuts = sorted(draw(st.lists(st.integers(0, len(reply)), max_size=8)))
    drops = draw(st.lists(st.integers(0, len(reply) - 1), max_size=1))
    return Scripted(reply, tuple(cuts), tuple(drops), fields)


@st.composite
def framed(draw: st.DrawFn, event: bytes) -> tuple[bytes, str]:
    """The event as a body with its length or in chunks, and the header that says so."""
    if draw(st.booleans()):
        return event, draw(any_case("Content-Length")) + f": {len(event)}"
    size = draw(st.integers(1, 50))
    pieces = [event[i : i + size] for i in range(0, len(event), size)]
    chunks = b"".join(b"%X\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return chunks + b"0\r\n\r\n", draw(any_case("Transfer-Encoding")) + ": chunked"


def serve(listener: socket.socket, scripted: Scripted) -> None:
    for sent in scripted.drops:
        with listener.accept()[0] as connection:
            connection.recv(65536)
            connection.sendall(scripted.reply[:sent])
    with listener.accept()[0] as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.recv(65536)
        for start, end in zip((0, *scripted.cuts), (*scripted.cuts, None), strict=True):
            connection.sendall(scripted.reply[start:end])


def ask(server: Callable[[socket.socket], None]) -> Invocation:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE_S)
        thread = threading.Thread(target=server, args=[listener])
        thread.start()
        host, port = listener.getsockname()
        client = RuntimeClient(f"{host}:{port}", RuntimeLog({}))
        try:
            return client.next_invocation()
        finally:
            client.close()
            thread.join(PATIENCE_S)


@settings(max_examples=200, deadline=None)
@given(replies())
def test_event_is_read_however_it_arrives(scripted: Scripted) -> None:
    assert vars(ask(lambda listener: serve(listener, scripted))) == scripted.fields


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=1, max_size=300))
def test_what_is_no_reply_is_an_error_of_the_runtime_api_and_nothing_else(noise: bytes) -> None:
    def server(listener: socket.socket) -> None:
        for _ in range(2):  # asked once more, for the first connection may have been an old one
            with listener.accept()[0] as connection:
                connection.recv(65536)
                connection.sendall(noise)

    with pytest.raises(RuntimeApiError):
        ask(server)
