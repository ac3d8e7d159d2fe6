"""One invocation: the event, its identity, and where its answer goes."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from typing import Protocol

from local.errors import FunctionFailure


@dataclass(frozen=True, slots=True)
class AnswerHead:
    """How the function answers, known when the head of its POST has been read."""

    streaming: bool
    content_type: str


class AnswerReceiver(Protocol):
    """Takes a function's answer piece by piece, as it is read from the child's socket.

    It never raises: a caller that went away is the receiver's business, the function is not
    interrupted. Whoever gives it pieces looks whether it is full after some of them, and waits for
    `drain` before it gives more; so a receiver that is slow makes the child wait.
    """

    def begin(self, head: AnswerHead) -> None:
        """Take the head; called once, before any piece."""

    def piece(self, data: bytes) -> None:
        """Take the next bytes of the answer."""

    def is_full(self) -> bool:
        """Return whether it has more than it can pass on at once."""
        ...

    async def drain(self) -> None:
        """Wait until it is not full."""


@dataclass(frozen=True, slots=True)
class InvocationIdentity:
    """What GET /next tells in its headers."""

    request_id: str
    invocation_id: str
    trace_id: str


def new_identity(trace_id: str) -> InvocationIdentity:
    """Return fresh ids for one invocation under the X-Ray header `trace_id`."""
    return InvocationIdentity(new_id(), new_id(), trace_id)


def new_id() -> str:
    """Return a fresh id in the form of a random UUID (RFC 9562, version 4)."""
    digits = os.urandom(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def new_trace_id(now: float) -> str:
    """Return an X-Ray trace header as Lambda makes it for an untraced request."""
    digits = os.urandom(20).hex()
    return f"Root=1-{int(now):08x}-{digits[:24]};Parent={digits[24:]};Sampled=0"


@dataclass(eq=False, slots=True)
class Invocation:
    """An event on its way through a function.

    `outcome` is set once: to None when the whole answer was received, else to the failure.
    """

    identity: InvocationIdentity
    event: bytes
    receiver: AnswerReceiver
    outcome: asyncio.Future[FunctionFailure | None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def settle(self, failure: FunctionFailure | None) -> None:
        """Set the outcome, unless it is set already."""
        if not self.outcome.done():
            self.outcome.set_result(failure)


class Invoker(Protocol):
    """Runs one function: what the fronts need of a pool."""

    def submit(self, event: bytes, receiver: AnswerReceiver, trace_id: str = "") -> Invocation:
        """Invoke the function; the returned invocation's outcome tells the end."""
        ...


class WholeAnswer:
    """A receiver that keeps the answer, at most `limit` bytes of it."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept = bytearray()
        self.too_large = False

    def begin(self, head: AnswerHead) -> None:
        """Take the head: a whole answer is the same in both modes."""

    def piece(self, data: bytes) -> None:
        """Keep the bytes up to the limit."""
        room = self._limit - len(self._kept)
        self.too_large = self.too_large or len(data) > room
        self._kept += data[:room]

    def is_full(self) -> bool:
        """Return False: what is above the limit is dropped."""
        return False

    async def drain(self) -> None:
        """Return at once."""

    def body(self) -> bytes:
        """Return what was kept."""
        return bytes(self._kept)
