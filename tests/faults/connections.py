"""A proxy in front of @connections: each post of a function passes through it, or a fault."""

from __future__ import annotations

import asyncio
import re

from tests.faults import wire
from tests.faults.cases import Border, Case, Cases, Fault

POST = re.compile(rb"^POST \S*/@connections/(\S+) ")
PART = re.compile(rb"\((\d+)\.\d+:|\"id\": \"(\d+)\"")
"""What names the case in a frame: a part of its answer, or a chat's id."""
POSTS = 3
"""Faults strike one of the first posts of an answer, if it has as many."""
DELAYS_S = (0.05, 0.2, 0.5)
SILENCE_S = 600.0


class Post:
    """One post and its reply. A fault is a list of these steps."""

    def __init__(self, proxy: ConnectionsProxy, writer: asyncio.StreamWriter, data: bytes) -> None:
        self._proxy = proxy
        self._writer = writer
        self.data = data
        self.case: Case | None = None
        self._reply = b""

    async def take(self) -> None:
        """Let API Gateway take the frame; its reply is for a later step."""
        self._reply = await self._proxy.forward(self)

    async def reply(self) -> None:
        await wire.write(self._writer, self._reply)

    async def half_reply(self) -> None:
        await wire.write(self._writer, b"HTTP/1.1 200 OK\r\nConte")

    async def doubled_reply(self) -> None:
        await wire.write(self._writer, self._reply * 2)

    async def dripped_reply(self) -> None:
        await wire.drip(self._writer, self._reply)

    async def garbage(self) -> None:
        await wire.write(self._writer, b"\0\1 nonsense\r\n\r\n")

    async def delay(self) -> None:
        assert self.case is not None
        await asyncio.sleep(self.case.random.choice(DELAYS_S))

    async def silence(self) -> None:
        await asyncio.sleep(SILENCE_S)

    async def gone(self) -> None:
        """Say that the client is gone, which hears nothing of it."""
        await status(410)(self)
        if self.case is not None:
            self.case.hurry()

    async def close(self) -> None:
        raise wire.HangUp

    async def reset(self) -> None:
        wire.reset(self._writer)
        raise wire.HangUp

    async def send(self, data: bytes) -> None:
        await wire.write(self._writer, data)


class status:  # noqa: N801 -- reads as the step that it makes
    """A step: reply with this status, without taking the frame."""

    def __init__(self, number: int, *fields: str) -> None:
        lines = (f"HTTP/1.1 {number} Status", *fields, "Content-Length: 2", "", "{}")
        self._reply = "\r\n".join(lines).encode()

    async def __call__(self, post: Post) -> None:
        await post.send(self._reply)


PLAIN = (Post.take, Post.reply)


class ConnectionsProxy:
    """`serve` is for one connection of a function. `target`: the port of the WebSocket API."""

    def __init__(self, cases: Cases) -> None:
        self._cases = cases
        self._numbers: dict[bytes, int] = {}
        self.target = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head, body = await wire.read_whole(reader)
            post = Post(self, writer, head + body)
            post.case = self._case_of(head, body)
            fault = post.case and _strike(post.case)
            for step in fault.steps if fault else PLAIN:
                await step(post)

    async def forward(self, post: Post) -> bytes:
        """Let API Gateway take the post; return its reply."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.target)
        try:
            await wire.write(writer, post.data)
            head, body = await wire.read_whole(reader)
            return head + body
        finally:
            writer.close()

    def _case_of(self, head: bytes, body: bytes) -> Case | None:
        """Return the case of a frame; one that names none belongs to the last of its client."""
        found = POST.search(head)
        assert found, head
        if named := PART.search(body):
            self._numbers[found[1]] = int(named[1] or named[2])
        return self._cases.numbered(self._numbers.get(found[1], -1))


def _strike(case: Case) -> Fault | None:
    case.posts += 1
    return case.strike(Border.CONNECTIONS) if case.posts > case.at % POSTS else None
