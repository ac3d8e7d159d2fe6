"""Streams of the shapes that providers send arrive unchanged, however they are cut."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import httpx2

from tests.end_to_end.conftest import FORWARD_KEY
from tests.end_to_end.recorded_upstream import recorded
from tests.running_stack import PATIENCE_S
from tests.scripted_upstream import EVENT_STREAM_HEAD, LAST_CHUNK, chunk

if TYPE_CHECKING:
    import socket

    from tests.running_stack import RunningStack
    from tests.scripted_upstream import Script, ScriptedUpstream, UpstreamRequest

HELLO = {"model": "m", "messages": [{"role": "user", "content": "Hello"}], "stream": True}
STREAMS = {
    "chat": recorded("chat_stream.sse"),
    "tools": recorded("chat_tools_stream.sse"),
    "responses": recorded("response_stream.sse"),
    "crlf-and-comments": b": hi\r\n\r\ndata: {}\r\n\r\nretry: 5\r\n\r\ndata: [DONE]\r\n\r\n",
    "long-line": b'data: {"long": "' + b"x" * 65536 + b'"}\n\ndata: [DONE]\n\n',
}


def cut(segment: int, stream: bytes) -> Script:
    """A script: the stream, its chunks' heads and ends too, in TCP segments of this size."""
    sent = chunk(stream[: len(stream) // 2]) + chunk(stream[len(stream) // 2 :]) + LAST_CHUNK

    def script(_request: UpstreamRequest, connection: socket.socket) -> None:
        connection.sendall(EVENT_STREAM_HEAD)
        for at in range(0, len(sent), segment):
            connection.sendall(sent[at : at + segment])

    return script


def test_stream_arrives_as_the_same_bytes_however_it_is_cut(
    keyed_stack: RunningStack, upstream: ScriptedUpstream
) -> None:
    headers = {"authorization": f"Bearer {FORWARD_KEY}"}
    url = f"{keyed_stack.url}/v1/chat/completions"
    with httpx2.Client(timeout=PATIENCE_S, headers=headers) as client:
        for (name, stream), segment in product(STREAMS.items(), (1, 7, 1021, 1_000_000)):
            upstream.script = cut(segment, stream)
            assert client.post(url, json=HELLO).content == stream, (name, segment)
