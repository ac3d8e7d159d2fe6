"""Streams of the shapes that providers send: unchanged however they are cut, and many at once."""

from __future__ import annotations

import asyncio
import threading
from itertools import product
from typing import TYPE_CHECKING

import httpx2
import openai

from tests.end_to_end.conftest import FORWARD_KEY, PROVIDER_KEY
from tests.end_to_end.recorded_upstream import recorded
from tests.running_stack import PATIENCE_S, ROOT, stack
from tests.scripted_upstream import EVENT_STREAM_HEAD, LAST_CHUNK, chunk

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from tests.running_stack import RunningStack
    from tests.scripted_upstream import ScriptedUpstream, UpstreamRequest

HELLO = {"model": "m", "messages": [{"role": "user", "content": "Hello"}], "stream": True}
LONG_LINE = b'data: {"choices":[{"delta":{"content":"' + b"x" * 65536 + b'"}}]}\n\n'
STREAMS = {
    "chat": recorded("chat_stream.sse"),
    "tools": recorded("chat_tools_stream.sse"),
    "responses": recorded("response_stream.sse"),
    "crlf-and-comments": b": hi\r\n\r\ndata: {}\r\n\r\nretry: 5\r\n\r\ndata: [DONE]\r\n\r\n",
    "long-line": LONG_LINE + b"data: [DONE]\n\n",
}
MANY = 64


def cut(segment: int, stream: bytes) -> Callable[[UpstreamRequest, socket.socket], None]:
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
        for (name, stream), segment in product(STREAMS.items(), (1, 2, 7, 1021, 1_000_000)):
            upstream.script = cut(segment, stream)
            answer = client.post(url, json=HELLO)
            assert answer.status_code == 200
            assert answer.content == stream, (name, segment)


def test_64_streams_at_once_all_arrive_whole(upstream: ScriptedUpstream) -> None:
    all_there = threading.Barrier(MANY)
    events = recorded("chat_stream.sse").split(b"\n\n")

    def script(_request: UpstreamRequest, connection: socket.socket) -> None:
        connection.sendall(EVENT_STREAM_HEAD + chunk(events[0] + b"\n\n"))
        # Nobody goes on before everybody has begun.
        all_there.wait(PATIENCE_S)
        for event in events[1:-1]:
            connection.sendall(chunk(event + b"\n\n"))
        connection.sendall(LAST_CHUNK)

    async def text(client: openai.AsyncOpenAI) -> str:
        stream = await client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "Hello"}], stream=True
        )
        deltas = [chunk.choices[0].delta.content async for chunk in stream if chunk.choices]
        return "".join(delta or "" for delta in deltas)

    async def ask(url: str) -> list[str]:
        async with openai.AsyncOpenAI(
            base_url=f"{url}/v1", api_key=FORWARD_KEY, max_retries=0
        ) as client:
            return await asyncio.gather(*(text(client) for _ in range(MANY)))

    upstream.script = script
    environ = {
        "OPENAI_BASE_URL": upstream.url,
        "OPENAI_API_KEY": PROVIDER_KEY,
        "FORWARD_KEY": FORWARD_KEY,
        "FUNCTION_URL_AUTH": "none",
    }
    with stack(ROOT / "serverless.yml", "--concurrency", str(MANY), **environ) as running:
        url, _ = running.wait_ready()
        assert asyncio.run(ask(url)) == ["Hello! “How” can I\n\nhelp 🙂?"] * MANY
    assert len(upstream.requests) == MANY
