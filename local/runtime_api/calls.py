"""The calls of a runtime: where the body of each request goes, and what the reply is.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from local.errors import FunctionFailure
from local.invocation import AnswerHead, AnswerReceiver, Invocation
from local.limits import MAX_BUFFERED_RESPONSE_BYTES, MAX_STREAMED_RESPONSE_BYTES
from local.runtime_api.routes import posted_failure, trailer_failure
from local.runtime_api.state import InvalidStateTransitionError

_JSON = ("content-type", "application/json")


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply to a runtime."""

    status: int
    body: bytes
    headers: Sequence[tuple[str, str]] = (_JSON,)


Replier = Callable[[Reply | None], None]
"""Sends the reply; None closes the connection without one."""

Settle = Callable[[Invocation, FunctionFailure | None], None]
Report = Callable[[FunctionFailure], None]

ACCEPTED = Reply(202, b'{"status":"OK"}\n')


def error_reply(status: int, error_type: str, message: str) -> Reply:
    """Return an error reply in the Runtime API's format."""
    body = {"errorMessage": message, "errorType": error_type}
    return Reply(status, json.dumps(body).encode())


def forbidden(error: InvalidStateTransitionError) -> Reply:
    """Return the reply to a call that is not allowed in this state."""
    return error_reply(403, "InvalidStateTransition", str(error))


class RuntimeCall:
    """One request: `piece` for the bytes of its body, then `end`, or `broken` instead.

    This base class drops the body and sends `reply`.
    """

    receiver: AnswerReceiver | None = None
    """Takes the body as it arrives and may be too slow for it; None if the body is kept here."""

    def __init__(self, reply: Reply = ACCEPTED) -> None:
        self._reply = reply

    def piece(self, data: bytes) -> None:
        """Take the next bytes of the body."""

    def end(self, _trailers: Mapping[str, str], reply: Replier) -> None:
        """Take the end of the body; calls `reply` once, now or later."""
        reply(self._reply)

    def broken(self) -> None:
        """Handle the loss of the connection inside the body."""


class NextCall(RuntimeCall):
    """GET /next."""

    def __init__(self, request_event: Callable[[Replier], None]) -> None:
        super().__init__()
        self._request_event = request_event

    def end(self, _trailers: Mapping[str, str], reply: Replier) -> None:
        """Request an event."""
        try:
            self._request_event(reply)
        except InvalidStateTransitionError as error:
            reply(forbidden(error))


class _KeptCall(RuntimeCall):
    """A call whose body is kept: up to one byte more than allowed, the rest is dropped."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__()
        self._headers = headers
        self._body = bytearray()

    def piece(self, data: bytes) -> None:
        self._body += data[: MAX_BUFFERED_RESPONSE_BYTES + 1 - len(self._body)]


class InitErrorCall(_KeptCall):
    """POST /init/error."""

    def __init__(self, headers: Mapping[str, str], report: Report) -> None:
        super().__init__(headers)
        self._report = report

    def end(self, _trailers: Mapping[str, str], reply: Replier) -> None:
        """Report the failure."""
        try:
            self._report(posted_failure(self._headers, bytes(self._body)))
        except InvalidStateTransitionError as error:
            reply(forbidden(error))
        else:
            reply(ACCEPTED)


class ErrorCall(_KeptCall):
    """POST /error of a running invocation."""

    def __init__(self, headers: Mapping[str, str], invocation: Invocation, settle: Settle) -> None:
        super().__init__(headers)
        self._invocation = invocation
        self._settle = settle

    def end(self, _trailers: Mapping[str, str], reply: Replier) -> None:
        """Fail the invocation with the posted error."""
        self._settle(self._invocation, posted_failure(self._headers, bytes(self._body)))
        reply(ACCEPTED)

    def broken(self) -> None:
        """Fail the invocation: the error was cut off."""
        self._settle(self._invocation, _TRUNCATED)


class BufferedCall(ErrorCall):
    """POST /response with a return value."""

    def end(self, _trailers: Mapping[str, str], reply: Replier) -> None:
        """Pass the whole answer on, unless it is too large."""
        if len(self._body) > MAX_BUFFERED_RESPONSE_BYTES:
            self._settle(self._invocation, _TOO_LARGE)
            reply(error_reply(413, _TOO_LARGE.error_type, _TOO_LARGE.error_message))
            return
        receiver = self._invocation.receiver
        receiver.begin(answer_head(self._headers, streaming=False))
        receiver.piece(bytes(self._body))
        self._settle(self._invocation, None)
        reply(ACCEPTED)


class StreamedCall(RuntimeCall):
    """POST /response with a stream: each piece is passed on as it arrives."""

    def __init__(self, headers: Mapping[str, str], invocation: Invocation, settle: Settle) -> None:
        super().__init__()
        self._invocation = invocation
        self._settle = settle
        self._room = MAX_STREAMED_RESPONSE_BYTES
        self.receiver = invocation.receiver
        self.receiver.begin(answer_head(headers, streaming=True))

    def piece(self, data: bytes) -> None:
        """Pass the piece on, unless the answer has become too large."""
        self._room -= len(data)
        if self._room >= 0:
            self._invocation.receiver.piece(data)

    def end(self, trailers: Mapping[str, str], reply: Replier) -> None:
        """Settle the invocation by the trailers."""
        failure = trailer_failure(trailers) if self._room >= 0 else _STREAM_TOO_LARGE
        self._settle(self._invocation, failure)
        reply(ACCEPTED)

    def broken(self) -> None:
        """Fail the invocation: its answer was cut off."""
        self._settle(self._invocation, _TRUNCATED)


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
