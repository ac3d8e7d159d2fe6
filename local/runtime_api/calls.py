"""The calls of a runtime: where the body of each request goes, and what the reply is.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from local.errors import FunctionFailure
from local.invocation import AnswerHead, AnswerReceiver
from local.limits import MAX_BUFFERED_RESPONSE_BYTES, MAX_STREAMED_RESPONSE_BYTES
from local.runtime_api.routes import posted_failure, trailer_failure


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply to a runtime."""

    status: int
    body: bytes
    headers: Sequence[tuple[str, str]] = (("content-type", "application/json"),)


Replier = Callable[[Reply | None], None]
"""Sends the reply; None closes the connection without one."""

Report = Callable[[FunctionFailure], None]
Settle = Callable[[FunctionFailure | None], None]
"""Takes the outcome of an invocation; None is its success."""

ACCEPTED = Reply(202, b'{"status":"OK"}\n')


def error_reply(status: int, error_type: str, message: str) -> Reply:
    body = {"errorMessage": message, "errorType": error_type}
    return Reply(status, json.dumps(body).encode())


class RuntimeCall:
    """One request: `piece` for the bytes of its body, then `end`, or `broken` instead.

    This base class drops the body and gives the replier to `on_end`.
    """

    receiver: AnswerReceiver | None = None
    """Takes the body as it arrives and may be too slow for it; None if the body is kept here."""

    def __init__(self, on_end: Callable[[Replier], None]) -> None:
        self._on_end = on_end

    def piece(self, data: bytes) -> None:
        """Take the next bytes of the body."""

    def end(self, _trailers: Mapping[str, str], reply: Replier) -> None:
        """Take the end of the body; calls `reply` once, now or later.

        Raises InvalidStateTransitionError if the call is not allowed now.
        """
        self._on_end(reply)

    def broken(self) -> None:
        """Handle the loss of the connection inside the body."""


class InitErrorCall(RuntimeCall):
    """POST /init/error: its body is kept, up to one byte more than allowed."""

    def __init__(self, headers: Mapping[str, str], report: Report) -> None:
        super().__init__(lambda reply: reply(ACCEPTED))
        self._headers = headers
        self._report = report
        self._body = bytearray()

    def piece(self, data: bytes) -> None:
        """Keep the bytes up to the limit."""
        self._body += data[: MAX_BUFFERED_RESPONSE_BYTES + 1 - len(self._body)]

    def end(self, trailers: Mapping[str, str], reply: Replier) -> None:
        """Report the posted error."""
        self._report(posted_failure(self._headers, bytes(self._body)))
        super().end(trailers, reply)


class ErrorCall(InitErrorCall):
    """POST /error of a running invocation."""

    def broken(self) -> None:
        """Fail the invocation: the error was cut off."""
        self._report(_TRUNCATED)


class BufferedCall(ErrorCall):
    """POST /response with a return value."""

    def __init__(
        self, headers: Mapping[str, str], settle: Settle, receiver: AnswerReceiver
    ) -> None:
        super().__init__(headers, settle)
        self._settle = settle
        self._whole_receiver = receiver

    def end(self, _trailers: Mapping[str, str], reply: Replier) -> None:
        """Pass the whole answer on, unless it is too large."""
        if len(self._body) > MAX_BUFFERED_RESPONSE_BYTES:
            self._settle(_TOO_LARGE)
            reply(error_reply(413, _TOO_LARGE.error_type, _TOO_LARGE.error_message))
            return
        self._whole_receiver.begin(answer_head(self._headers, streaming=False))
        self._whole_receiver.piece(bytes(self._body))
        self._settle(None)
        reply(ACCEPTED)


class StreamedCall(RuntimeCall):
    """POST /response with a stream: each piece is passed on as it arrives."""

    def __init__(
        self, headers: Mapping[str, str], settle: Settle, receiver: AnswerReceiver
    ) -> None:
        super().__init__(lambda reply: reply(ACCEPTED))
        self._settle = settle
        self._pass_on = receiver.piece
        self._room = MAX_STREAMED_RESPONSE_BYTES
        self.receiver = receiver
        receiver.begin(answer_head(headers, streaming=True))

    def piece(self, data: bytes) -> None:
        """Pass the piece on, unless the answer has become too large."""
        self._room -= len(data)
        if self._room >= 0:
            self._pass_on(data)

    def end(self, trailers: Mapping[str, str], reply: Replier) -> None:
        """Settle the invocation by the trailers."""
        self._settle(trailer_failure(trailers) if self._room >= 0 else _STREAM_TOO_LARGE)
        super().end(trailers, reply)

    def broken(self) -> None:
        """Fail the invocation: its answer was cut off."""
        self._settle(_TRUNCATED)


def answer_head(headers: Mapping[str, str], *, streaming: bool) -> AnswerHead:
    """Return the answer's head from the header fields of POST /response."""
    return AnswerHead(streaming=streaming, content_type=headers.get("content-type", ""))


_TRUNCATED = FunctionFailure(
    "Runtime.TruncatedResponse", "The runtime's answer ended before its last chunk."
)
_STREAM_TOO_LARGE = FunctionFailure(
    "Function.ResponseSizeTooLarge",
    f"Exceeded maximum allowed streamed payload size ({MAX_STREAMED_RESPONSE_BYTES} bytes).",
)
_TOO_LARGE = FunctionFailure(
    "RequestEntityTooLarge",
    f"Exceeded maximum allowed payload size ({MAX_BUFFERED_RESPONSE_BYTES} bytes).",
)
