"""A client of the WebSocket. Its own faults are lists of the steps of `Message`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.faults import wire
from tests.faults.cases import CONNECT_EVENT, Border, Case, Way
from tests.faults.oracle import End, Seen
from tests.faults.patience import patience

SLOW_READ_S = 0.02
"""Pause of a slow client between two frames, in seconds."""
END_MARK = "<END>"


class Client:
    """Sends one message after the other over its connection, which it opens again if need be.

    stray: gets each frame of an answer that has ended already. key_of: of a case, which then has a
    connection of its own.
    """

    def __init__(
        self,
        url: str,
        stray: Callable[[str], None],
        key_of: Callable[[Case], str] | None = None,
    ) -> None:
        self._url = url
        self._stray = stray
        self._key_of = key_of
        self.connection: ClientConnection | None = None

    async def run(self, case: Case) -> Seen:
        message = Message(case, self, self._stray)
        fault = case.strike(Border.CLIENT)
        try:
            async with patience(case):
                await self._open(case)
                for step in fault.steps if fault else PLAIN:
                    await step(message)
        except TimeoutError:
            await self.leave()
        except (ConnectionClosed, InvalidHandshake, *wire.LOST) as error:
            message.seen.ended(End.ERROR, type(error).__name__)
            await self.leave()
        except wire.HangUp:
            message.seen.ended(End.OWN)
            await self.leave()
        if case.has_slow_reader or any(fault.leaves_doubt for fault in case.struck_by):
            await self.leave()
        return message.seen

    async def leave(self) -> None:
        """Let the next message open a new connection."""
        if self.connection is not None:
            self.connection.transport.abort()
            self.connection = None

    async def _open(self, case: Case) -> None:
        wants_new = case.has_slow_reader or any(f.moment == CONNECT_EVENT for f in case.faults)
        if self.connection is None or wants_new or self._key_of:
            await self.leave()
            port = urlsplit(self._url).port or 0
            query = f"?key={self._key_of(case)}" if self._key_of else ""
            self.connection = await connect(
                self._url + query,
                sock=await wire.dial(port, is_slow=case.has_slow_reader),
                additional_headers={"X-Question": case.question},
                compression=None,
                ping_interval=None,
                open_timeout=None,
                max_queue=1,
            )


class Message:
    """One message and its answer."""

    def __init__(self, case: Case, client: Client, stray: Callable[[str], None]) -> None:
        self._case = case
        self._client = client
        self._stray = stray
        self._id = str(case.answer.number)
        self.seen = Seen()

    @property
    def _connection(self) -> ClientConnection:
        assert self._client.connection is not None
        return self._client.connection

    async def send(self) -> None:
        messages = [{"role": "user", "content": self._case.question}]
        documents = {
            Way.CHAT: {"action": "chat", "id": self._id, "request": {"messages": messages}},
            Way.TEXTS: {"response_type": "stream", "messages": messages},
            Way.FULL: {"response_type": "full", "messages": messages},
        }
        await self._connection.send(json.dumps(documents[self._case.way]))

    async def cancel(self) -> None:
        if self.seen.end is End.NOTHING:
            await self._connection.send(json.dumps({"action": "cancel", "id": self._id}))

    async def read(self) -> None:
        while not await self._read_frame():
            pass

    async def read_slowly(self) -> None:
        while not await self._read_frame(SLOW_READ_S):
            pass

    async def read_some(self) -> None:
        """Read until the part at which the client acts is there, or to the end."""
        part = self._case.answer.part(self._case.at)
        while part not in self.seen.text and not await self._read_frame():
            pass

    async def close(self) -> None:
        if self._client.connection is not None:  # an error may have ended it
            await self._client.connection.close()
        raise wire.HangUp

    async def reset(self) -> None:
        raise wire.HangUp

    async def _read_frame(self, pause_s: float = 0.0) -> bool:
        """Read one frame; return whether it was the last."""
        if self.seen.end is not End.NOTHING:
            return True
        await asyncio.sleep(pause_s)
        frame = await self._connection.recv()
        assert isinstance(frame, str)
        document = json.loads(frame) if frame.startswith("{") else {}
        if "connectionId" in document:
            # API Gateway reports a failed function, whose frames may still come.
            self.seen.ended(End.ERROR, document["message"])
            await self._client.leave()
        elif document.get("id", self._id) != self._id:
            self._stray(frame)
        elif "error" in document:
            self.seen.ended(End.ERROR, str(document["error"]["code"]))
        elif self._case.way is Way.CHAT and "seq" not in document:
            self._stray(frame)
        elif self._case.way is Way.CHAT:
            self._take_chat_frame(document)
        else:
            self._take_text(frame)
        return self.seen.end is not End.NOTHING

    def _take_chat_frame(self, document: dict[str, Any]) -> None:
        self.seen.seq.append(document["seq"])
        choices = [choice for event in document["events"] for choice in event["choices"]]
        self.seen.text += "".join(choice["delta"].get("content") or "" for choice in choices)
        if document.get("done"):
            self.seen.ended(End.OWN if document.get("cancelled") else End.MARK)

    def _take_text(self, frame: str) -> None:
        if frame != END_MARK:
            self.seen.text += frame
        if frame == END_MARK or self._case.way is Way.FULL:
            self.seen.ended(End.MARK)


PLAIN = (Message.send, Message.read)
