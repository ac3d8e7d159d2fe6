"""A receiver of answers that records what it receives and can make the sender wait."""

from __future__ import annotations

import asyncio

from local.invocation import AnswerHead


class RecordingReceiver:
    """Puts each piece into `pieces`; is full while `gate` is not set."""

    def __init__(self, *, held: bool = False) -> None:
        self.head: AnswerHead | None = None
        self.pieces: asyncio.Queue[bytes] = asyncio.Queue()
        self.received = b""
        self.gate = asyncio.Event()
        if not held:
            self.gate.set()

    def begin(self, head: AnswerHead) -> None:
        self.head = head

    def piece(self, data: bytes) -> None:
        self.received += data
        self.pieces.put_nowait(bytes(data))

    def is_full(self) -> bool:
        return not self.gate.is_set()

    async def drain(self) -> None:
        await self.gate.wait()
