"""A receiver of answers that records what it gets and can hold the sender back."""

from __future__ import annotations

import asyncio

from local.invocation import AnswerHead


class RecordingReceiver:
    """Puts each piece into `pieces`; waits at `gate` before each one while it is not set."""

    def __init__(self, *, held: bool = False) -> None:
        self.head: AnswerHead | None = None
        self.pieces: asyncio.Queue[bytes] = asyncio.Queue()
        self.received = b""
        self.gate = asyncio.Event()
        if not held:
            self.gate.set()

    async def begin(self, head: AnswerHead) -> None:
        self.head = head

    async def piece(self, data: bytes) -> None:
        await self.gate.wait()
        self.received += data
        self.pieces.put_nowait(bytes(data))
