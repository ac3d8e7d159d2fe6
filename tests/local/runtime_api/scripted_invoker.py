"""A function in the test itself: answers each event by a script, through the real receiver."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from local.errors import FunctionFailure
from local.invocation import AnswerHead, AnswerReceiver, Invocation, new_identity

Script = Callable[[Any, AnswerReceiver], Awaitable[FunctionFailure | None]]

HTTP = "application/vnd.awslambda.http-integration-response"


class ScriptedInvoker:
    """Runs `script` for each event; keeps the events."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.events: asyncio.Queue[Any] = asyncio.Queue()
        self.invocations: list[Invocation] = []
        self._tasks: list[asyncio.Task[None]] = []

    def submit(self, event: bytes, receiver: AnswerReceiver, trace_id: str = "") -> Invocation:
        invocation = Invocation(new_identity(trace_id), event, receiver)
        self.invocations.append(invocation)
        self.events.put_nowait(json.loads(event))
        self._tasks.append(asyncio.create_task(self._run(invocation)))
        return invocation

    async def _run(self, invocation: Invocation) -> None:
        invocation.settle(await self.script(json.loads(invocation.event), invocation.receiver))


async def give(receiver: AnswerReceiver, data: bytes) -> None:
    """Give the receiver a piece, and wait where it asks for that, as the Runtime API does."""
    receiver.piece(data)
    if receiver.is_full():
        await receiver.drain()


def buffered(answer: object) -> Script:
    """Return a script that answers with a return value."""

    async def script(_event: Any, receiver: AnswerReceiver) -> None:
        receiver.begin(AnswerHead(streaming=False, content_type="application/json"))
        receiver.piece(json.dumps(answer).encode())

    return script


def streamed(
    *pieces: bytes, content_type: str = HTTP, failure: FunctionFailure | None = None
) -> Script:
    """Return a script that streams `pieces` and then ends, or fails."""

    async def script(_event: Any, receiver: AnswerReceiver) -> FunctionFailure | None:
        receiver.begin(AnswerHead(streaming=True, content_type=content_type))
        for piece in pieces:
            await give(receiver, piece)
        return failure

    return script


def failing(failure: FunctionFailure | None = None) -> Script:
    """Return a script that fails before any answer."""

    async def script(_event: Any, _receiver: AnswerReceiver) -> FunctionFailure:
        return failure or FunctionFailure("E", "m")

    return script


def prelude(**metadata: object) -> bytes:
    """Return the bytes of a prelude."""
    return json.dumps(metadata).encode() + b"\0" * 8
