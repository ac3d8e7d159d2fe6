"""Unusual replies: split anywhere, odd header cases, missing headers, lost connections, noise."""

from __future__ import annotations

import socket
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from awslambda.errors import RuntimeApiError
from awslambda.output import LogLines
from awslambda.runtime_client import NEXT_RETRIES, RuntimeClient
from awslambda.runtime_log import RuntimeLog

if TYPE_CHECKING:
    from collections.abc import Sequence

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
PATIENCE_S = 30.0  # how long a test waits for a connection before it fails


@dataclass(frozen=True)
class Scripted:
    """What the server sends on each connection, piece by piece, and the invocation it describes."""

    connections: list[list[bytes]]
    fields: dict[str, object]


@st.composite
def header(draw: st.DrawFn, name: str, value: str) -> str:
    spelled = draw(st.sampled_from([name, name.lower(), name.upper(), name.swapcase()]))
    return spelled + draw(st.sampled_from([":", ": ", ":  "])) + value


@st.composite
def framed(draw: st.DrawFn, event: bytes) -> tuple[bytes, str]:
    """The event as a body with its length or in chunks, and the header that says so."""
    if draw(st.booleans()):
        return event, draw(header("Content-Length", str(len(event))))
    size = draw(st.integers(1, 50))
    pieces = [event[i : i + size] for i in range(0, len(event), size)]
    chunks = b"".join(b"%X\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return chunks + b"0\r\n\r\n", draw(header("Transfer-Encoding", "chunked"))


@st.composite
def replies(draw: st.DrawFn) -> Scripted:
    event = draw(st.binary(max_size=200))
    fields: dict[str, object] = {field: default for field, _, default in OPTIONAL.values()}
    fields |= {"request_id": "r-1", "event": event}
    lines = [draw(header("Lambda-Runtime-Aws-Request-Id", "r-1")), "X-Unknown: 1"]
    for name in draw(st.lists(st.sampled_from(sorted(OPTIONAL)), unique=True)):
        field, value, _ = OPTIONAL[name]
        fields[field] = int(value) if field == "deadline_ms" else value
        lines.append(draw(header(name, value)))
    body, framing = draw(framed(event))
    head = ["HTTP/1.1 200 OK", *draw(st.permutations([*lines, framing]))]
    reply = "\r\n".join([*head, "", ""]).encode() + body
    cuts = sorted(draw(st.lists(st.integers(0, len(reply)), max_size=8)))
    pieces = [reply[i:j] for i, j in zip([0, *cuts], [*cuts, None], strict=True)]
    lost = draw(st.lists(st.integers(0, len(reply) - 1).map(lambda end: [reply[:end]]), max_size=1))
    return Scripted([*lost, pieces], fields)


def next_invocation(connections: Sequence[Sequence[bytes]]) -> Invocation:
    """Request an event from a server that sends these pieces, then closes the connection."""

    def serve() -> None:
        for pieces in connections:
            with listener.accept()[0] as connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.recv(65536)
                for piece in pieces:
                    connection.sendall(piece)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE_S)
        thread = threading.Thread(target=serve)
        thread.start()
        host, port = listener.getsockname()
        client = RuntimeClient(f"{host}:{port}", RuntimeLog({}, LogLines(sys.stdout)))
        try:
            return client.next_invocation()
        finally:
            client.close()
            thread.join(PATIENCE_S)


@given(replies())
def test_event_is_read_however_it_arrives(scripted: Scripted) -> None:
    assert vars(next_invocation(scripted.connections)) == scripted.fields


@given(st.binary(min_size=1, max_size=300))
def test_noise_instead_of_a_reply_is_a_runtime_api_error(noise: bytes) -> None:
    with pytest.raises(RuntimeApiError):
        next_invocation([[noise]] * (1 + NEXT_RETRIES))
