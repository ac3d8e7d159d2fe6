"""The provider: a model that gives each case its answer, and does what the case's fault says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

from tests.faults import wire
from tests.faults.cases import Border, Case, Cases
from tests.faults.oracle import Answer

SILENCE_S = 600.0
"""How long a silent model keeps its connection, in seconds: longer than every timeout of ours."""
SETTLE_S = 0.3  # within the second for which the gateway still reads after [DONE]
RETRY_STATUSES = (408, 409, 429, 500, 502, 503, 529)
FINAL_STATUSES = (400, 401, 404, 418, 422)


def event(document: object) -> bytes:
    return b"data: " + json.dumps(document).encode() + b"\n\n"


def delta(text: str) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return event({"id": "c", "object": "chat.completion.chunk", "choices": [choice]})


STOP = event({"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
DONE = b"data: [DONE]\n\n"


def usage_of(answer: Answer) -> dict[str, int]:
    """What the provider counts: each part is a token."""
    return {"prompt_tokens": 1, "completion_tokens": answer.length}


def completion(answer: Answer) -> bytes:
    message = {"role": "assistant", "content": answer.text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = usage_of(answer)
    document = {"id": "c", "object": "chat.completion", "choices": [choice], "usage": usage}
    return json.dumps(document).encode()


def reply_head(*fields: str, status: int = 200) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status} Status", *fields, "", ""]).encode()


class Reply:
    """The model's reply to one request. A fault is a list of these steps."""

    def __init__(
        self, case: Case, writer: asyncio.StreamWriter, *, is_stream: bool, counts: bool
    ) -> None:
        self.case = case
        self._writer = writer
        self._is_stream = is_stream
        self._usage = event({"choices": [], "usage": usage_of(case.answer)}) if counts else b""
        self._parts = self._pieces()

    @property
    def _end(self) -> bytes:
        """The last events of a stream."""
        return STOP + self._usage + DONE if self._is_stream else b""

    def _pieces(self) -> Iterator[bytes]:
        """Yield the body's pieces; a JSON reply has two for each part of the answer."""
        if self._is_stream:
            yield from map(delta, self.case.answer.parts)
            return
        whole = completion(self.case.answer)
        size = 1 + len(whole) // (2 * self.case.answer.length)
        yield from (whole[start : start + size] for start in range(0, len(whole), size))

    async def send(self, data: bytes) -> None:
        await wire.write(self._writer, data)

    async def piece(self, data: bytes) -> None:
        """Send a chunk."""
        await self.send(b"%x\r\n%b\r\n" % (len(data), data))

    def _head(self) -> bytes:
        kind = "text/event-stream" if self._is_stream else "application/json"
        return reply_head(f"Content-Type: {kind}", "Transfer-Encoding: chunked")

    async def head(self) -> None:
        await self.send(self._head())

    async def half_head(self) -> None:
        await self.send(self._head()[: self.case.random.randrange(1, len(self._head()))])

    async def some(self) -> None:
        """Send the parts before the place of the fault."""
        for _ in range(self.case.at):
            await self._next_part()

    async def rest(self) -> None:
        while await self._next_part():
            pass

    async def _next_part(self) -> bool:
        piece = next(self._parts, b"")
        if piece:
            await self.piece(piece)
            await asyncio.sleep(self.case.gap_s)
        return bool(piece)

    async def half_part(self) -> None:
        """Send a chunk with half an event."""
        piece = next(self._parts)
        await self.piece(piece[: 1 + len(piece) // 2])

    async def half_chunk(self) -> None:
        piece = next(self._parts)
        await self.send(b"%x\r\n%b" % (len(piece), piece[: 1 + len(piece) // 2]))

    async def finish(self) -> None:
        """Send the end of the answer, but not the end of the body."""
        if self._is_stream:
            await self.piece(self._end)

    async def finish_without_done(self) -> None:
        if self._is_stream:
            await self.piece(STOP)

    async def last_chunk(self) -> None:
        await self.send(b"0\r\n\r\n")

    async def dripped(self) -> None:
        """Send the whole reply one byte at a time."""
        body = b"".join(self._parts) + self._end
        await wire.drip(self._writer, self._head())
        await wire.drip(self._writer, b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))

    async def until_closed(self) -> None:
        """Send the whole reply without framing; the end of the connection is its end."""
        kind = "text/event-stream" if self._is_stream else "application/json"
        await self.send(reply_head(f"Content-Type: {kind}", "Connection: close"))
        for piece in self._parts:
            await self.send(piece)
            await asyncio.sleep(self.case.gap_s)
        await self.send(self._end)

    async def error_event(self) -> None:
        await self.piece(event({"error": {"message": "The model failed.", "code": "scripted"}}))

    async def no_json(self) -> None:
        await self.piece(b"data: this is no JSON\n\n")

    async def wrong_chunk(self) -> None:
        await self.send(b"no size\r\nnonsense\r\n")

    async def too_long_chunk(self) -> None:
        await self.send(b"3\r\ntoo long\r\n")

    async def two_lengths(self) -> None:
        await self.send(reply_head("Content-Length: 5", "Content-Length: 6") + b"hello!")

    async def negative_length(self) -> None:
        await self.send(reply_head("Content-Length: -5") + b"hello")

    async def too_short(self) -> None:
        """Promise more than the body has."""
        await self.send(reply_head("Content-Type: text/event-stream", "Content-Length: 99999"))
        await self.send(b"".join(delta(part) for part in self.case.answer.parts[: self.case.at]))

    async def empty(self) -> None:
        await self.send(reply_head("Content-Type: text/event-stream", "Content-Length: 0"))

    async def garbage(self) -> None:
        await self.send(self.case.random.randbytes(300))

    async def retry_status(self) -> None:
        await self._status(self.case.random.choice(RETRY_STATUSES))

    async def final_status(self) -> None:
        await self._status(self.case.random.choice(FINAL_STATUSES))

    async def redirect(self) -> None:
        await self.send(reply_head("Location: /elsewhere", "Content-Length: 0", status=302))

    async def _status(self, status: int) -> None:
        body = json.dumps({"error": {"message": "Not now.", "code": "scripted"}}).encode()
        fields = ("Content-Type: application/json", f"Content-Length: {len(body)}")
        await self.send(reply_head(*fields, status=status) + body)

    async def settle(self) -> None:
        """Let the gateway read what was sent: a reset drops what the kernels still hold."""
        await asyncio.sleep(SETTLE_S)

    async def silence(self) -> None:
        await asyncio.sleep(SILENCE_S)

    async def close(self) -> None:
        raise wire.HangUp

    async def reset(self) -> None:
        wire.reset(self._writer)
        raise wire.HangUp


PLAIN = (Reply.head, Reply.rest, Reply.finish, Reply.last_chunk)


class Model:
    """Serves the provider's API: `serve` is for one connection."""

    def __init__(self, cases: Cases) -> None:
        self._cases = cases

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            _, body = await wire.read_whole(reader)
            case = self._cases.asked_in(body)
            if case is None:  # its client has left
                raise wire.HangUp
            request = json.loads(body)
            is_stream = request.get("stream", False)
            counts = request.get("stream_options", {}).get("include_usage", False)
            reply = Reply(case, writer, is_stream=is_stream, counts=counts)
            fault = case.strike(Border.UPSTREAM)
            for step in fault.steps if fault else PLAIN:
                await step(reply)
