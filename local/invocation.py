"""One invocation: the event, its ids, and the receiver of its answer."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from typing import Protocol

from local.errors import FunctionFailure


@dataclass(frozen=True, slots=True)
class AnswerHead:
    """How the function answers, from the head of its POST."""

    streaming: bool
    content_type: str


class AnswerReceiver(Protocol):
    """Takes a function's answer piece by piece, as it is read from the function's socket.

    It never raises: a client's disconnect does not interrupt the function. The sender checks
    `is_full` after a piece and then awaits `drain`; so a slow receiver makes the function wait.
    """

    def begin(self, head: AnswerHead) -> None:
        """Take the head; called once, before any piece."""

    def piece(self, data: bytes) -> None:
        """Take the next bytes of the answer."""

    def is_full(self) -> bool:
        """Return whether it holds more than it can pass on at once."""
        ...

    async def drain(self) -> None:
        """Wait until it is not full."""


@dataclass(frozen=True, slots=True)
class InvocationIdentity:
    """The ids in the headers of GET /next."""

    request_id: str
    invocation_id: str
    trace_id: str


def new_identity(trace_id: str) -> InvocationIdentity:
    """Return new ids for one invocation under the X-Ray header `trace_id`."""
    return InvocationIdentity(new_id(), new_id(), trace_id)


def new_id() -> str:
    """Return a new id in the form of a random UUID (RFC 9562, version 4)."""
    digits = os.urandom(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def new_trace_id(now: float, *, is_sampled: bool = False) -> str:
    """Return an X-Ray trace header as Lambda makes it."""
    digits = os.urandom(20).hex()
    return f"Root=1-{int(now):08x}-{digits[:24]};Parent={digits[24:]};Sampled={int(is_sampled)}"


@dataclass(eq=False, slots=True)
class Invocation:
    """One event and its answer.

    `outcome` is set once: to None after the whole answer was received, or to the failure.
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
    """Invokes one function; the servers need no more of a pool."""

    def submit(self, event: bytes, receiver: AnswerReceiver, trace_id: str = "") -> Invocation:
        """Invoke the function with `event`; await the returned invocation's `outcome`."""
        ...


class WholeAnswer:
    """A receiver that keeps at most `limit` bytes of the answer."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept = bytearray()
        self.too_large = False

    def begin(self, head: AnswerHead) -> None:
        """Ignore the head: a whole answer is the same in both modes."""

    def piece(self, data: bytes) -> None:
        """Keep the bytes up to the limit."""
        room = self._limit - len(self._kept)
        self.too_large = self.too_large or len(data) > room
        self._kept += data[:room]

    def is_full(self) -> bool:
        """Return False: bytes above the limit are dropped."""
        return False

    async def drain(self) -> None:
        """Return at once."""

    def body(self) -> bytes:
        return bytes(self._kept)
