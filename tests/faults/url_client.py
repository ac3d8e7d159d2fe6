"""A client of the Function URL. Its own faults are lists of the steps of `UrlRequest`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from tests.faults import wire
from tests.faults.cases import CONNECTION, Border, Case, Way
from tests.faults.oracle import End, Seen
from tests.faults.patience import patience

REFUSED = "/refused"
"""The path prefix of an API whose port is closed."""
READ_BYTES = 16 * 1024
SLOW_READ_BYTES = 2048
SLOW_READ_S = 0.01
"""Pause of a slow client between two reads, in seconds."""


class UrlRequest:
    """One request over a connection of its own."""

    def __init__(self, case: Case, port: int, key: str) -> None:
        self._case = case
        self._port = port
        self._key = key
        self._raw = b""
        self.seen = Seen()

    async def run(self) -> Seen:
        """Play the client's part; return what it saw."""
        fault = self._case.strike(Border.CLIENT)
        sock = await wire.dial(self._port, is_slow=self._case.has_slow_reader)
        self._reader, self._writer = await asyncio.open_connection(sock=sock)
        try:
            async with patience(self._case):
                for step in fault.steps if fault else PLAIN:
                    await step(self)
        except TimeoutError:
            self._read_text()
        except wire.LOST as error:
            self._read_text()
            self.seen.ended(End.ERROR, type(error).__name__)
        except wire.HangUp:
            self._read_text()
            self.seen.ended(End.OWN)
        finally:
            self._writer.close()
        return self.seen

    @property
    def _request(self) -> bytes:
        path, body = "/v1/chat/completions", {"model": "m", "stream": True}
        if self._case.strike(Border.UPSTREAM, CONNECTION):
            path = f"{REFUSED}/chat/completions"
        if self._case.way is Way.URL_JSON:
            body["stream"] = False
        elif self._case.way is Way.URL_TEXT:
            path, body = "/", {"response_type": "full"}
        message = {"role": "user", "content": self._case.question}
        payload = json.dumps({**body, "messages": [message]}).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nConnection: close\r\n"
            f"Authorization: Bearer {self._key}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(payload)}\r\n\r\n"
        )
        return head.encode() + payload

    async def send(self) -> None:
        await wire.write(self._writer, self._request)

    async def drip(self) -> None:
        await wire.drip(self._writer, self._request)

    async def send_half(self) -> None:
        await wire.write(self._writer, self._request[: -len(self._case.question)])

    async def half_close(self) -> None:
        self._writer.write_eof()

    async def read(self) -> None:
        """Read to the end of the connection and judge how it came."""
        await self._read_all(READ_BYTES, 0)

    async def read_slowly(self) -> None:
        await self._read_all(SLOW_READ_BYTES, SLOW_READ_S)

    async def read_some(self) -> None:
        """Read until the part at which the client leaves has begun, or to the end."""
        begin = self._case.answer.part(self._case.at).split(":")[0].encode()
        while begin not in self._raw and await self._read_more(READ_BYTES):
            pass

    async def close(self) -> None:
        raise wire.HangUp

    async def reset(self) -> None:
        wire.reset(self._writer)
        raise wire.HangUp

    async def _read_all(self, size: int, pause_s: float) -> None:
        while await self._read_more(size, pause_s):
            pass
        status, is_complete = self._read_text()
        if is_complete and status == 200 and self.seen.note == "":
            self.seen.ended(End.MARK)
        else:
            self.seen.ended(End.ERROR, self.seen.note or f"status {status}")

    async def _read_more(self, size: int, pause_s: float = 0.0) -> bool:
        await asyncio.sleep(pause_s)
        data = await self._reader.read(size)
        self._raw += data
        return bool(data)

    def _read_text(self) -> tuple[int, bool]:
        """Fill `seen`; return the status and whether the body is complete."""
        head, _, framed = self._raw.partition(b"\r\n\r\n")
        status = int(head.split(b" ")[1]) if head.startswith(b"HTTP/1.1 ") else 0
        body, is_complete = _unframed(head + b"\r\n\r\n", framed)
        if not is_complete:
            self.seen.note = "the body broke off"
        if status == 200:
            readers = {Way.URL_EVENTS: _of_events, Way.URL_JSON: _of_json, Way.URL_TEXT: _of_text}
            readers[self._case.way](body, self.seen)
        return status, is_complete


PLAIN = (UrlRequest.send, UrlRequest.read)


def _unframed(head: bytes, framed: bytes) -> tuple[bytes, bool]:
    """Return the body as far as it is there, and whether it is complete."""
    if not wire.CHUNKED.search(head):
        length = wire.LENGTH.search(head)
        return framed, length is not None and len(framed) == int(length[1])
    body = b""
    while framed:
        line, _, framed = framed.partition(b"\r\n")
        with suppress(ValueError):
            size = int(line, 16)
            body += framed[:size]
            framed = framed[size + 2 :]
            if size == 0:
                return body, True
    return body, False


def _of_events(body: bytes, seen: Seen) -> None:
    """Read the events that are there; without [DONE] the answer is not complete."""
    seen.note = seen.note or "no [DONE]"
    for data in _data_of(body):
        if data == "[DONE]":
            seen.note = ""
            return
        try:
            event = json.loads(data)
        except ValueError:
            seen.note = "an event without JSON"
            return
        if "error" in event:
            seen.note = f"event {event['error'].get('code')}"
            return
        seen.text += _text_of(event, "delta")


def _data_of(body: bytes) -> Iterator[str]:
    events = body.decode("utf-8", "replace").split("\n\n")
    yield from (event.removeprefix("data: ") for event in events if event.startswith("data: "))


def _of_json(body: bytes, seen: Seen) -> None:
    try:
        seen.text = _text_of(json.loads(body), "message")
    except ValueError:
        seen.note = seen.note or "no JSON"


def _text_of(document: dict[str, Any], name: str) -> str:
    return "".join(choice[name].get("content") or "" for choice in document["choices"])


def _of_text(body: bytes, seen: Seen) -> None:
    seen.text = body.decode()
