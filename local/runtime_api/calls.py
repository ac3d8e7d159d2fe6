"""What becomes of each request of a runtime: where its body goes, and what it is answered.

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
    """What a runtime is answered."""

    status: int
    body: bytes
    headers: Sequence[tuple[str, str]] = (_JSON,)


Replier = Callable[[Reply | None], None]
"""Sends the reply; None: there will be none, and the connection ends."""

Settle = Callable[[Invocation, FunctionFailure | None], None]
Report = Callable[[FunctionFailure], None]

ACCEPTED = Reply(202, b'{"status":"OK"}\n')


def error_reply(status: int, error_type: str, message: str) -> Reply:
    """Return a reply in the Runtime API's shape of an error."""
    body = {"errorMessage": message, "errorType": error_type}
    return Reply(status, json.dumps(body).encode())


def forbidden(error: InvalidStateTransitionError) -> Reply:
    """Return the reply to a call that may not be made now."""
    return error_reply(403, "InvalidStateTransition", str(error))


class RuntimeCall:
    """One request: `piece` for the bytes of its body, then `end`, or `broken` in its place.

    As it stands here it drops the body and is answered `reply`.
    """

    receiver: AnswerReceiver | None = None
    """Who takes the body as it comes; None where nobody can be too slow for it."""

    def __init__(self, reply: Reply = ACCEPTED) -> None:
        self._reply = reply

    def piece(self, data: bytes) -> None:
        """Take the next bytes of the body."""

    def end(self, _trailers: Mapping[str, str], reply: Replier) -> None:
        """Take the end of the body; calls `reply` once, perhaps later."""
        reply(self._reply)

    def broken(self) -> None:
        """The connection ended inside the body."""


class NextCall(RuntimeCall):
    """GET /next."""

    def __init__(self, ask: Callable[[Replier], None]) -> None:
        super().__init__()
        self._ask = ask

    def end(self, _trailers: Mapping[str, str], reply: Replier) -> None:
        """Ask for an event."""
        try:
            self._ask(reply)
        except InvalidStateTransitionError as error:
            reply(forbidden(error))


class _KeptCall(RuntimeCall):
    """A call whose body is read whole: one byte more than is allowed, the rest is dropped."""

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
        """Settle the invocation with what was posted."""
        self._settle(self._invocation, posted_failure(self._headers, bytes(self._body)))
        reply(ACCEPTED)

    def broken(self) -> None:
        """Settle it without."""
        self._settle(self._invocation, _TRUNCATED)


class BufferedCall(ErrorCall):
    """POST /response of a return value."""

    def end(self, _trailers: Mapping[str, str], reply: Replier) -> None:
        """Hand the whole answer over, unless it is too large."""
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
    """POST /response of a stream: each piece is handed over as it comes."""

    def __init__(self, headers: Mapping[str, str], invocation: Invocation, settle: Settle) -> None:
        super().__init__()
        self._invocation = invocation
        self._settle = settle
        self._room = MAX_STREAMED_RESPONSE_BYTES
        self.receiver = invocation.receiver
        self.receiver.begin(answer_head(headers, streaming=True))

    def piece(self, data: bytes) -> None:
        """Hand it over, unless the answer has become too large."""
        self._room -= len(data)
        if self._room >= 0:
            self._invocation.receiver.piece(data)

    def end(self, trailers: Mapping[str, str], reply: Replier) -> None:
        """Settle the invocation as the trailers tell."""
        failure = trailer_failure(trailers) if self._room >= 0 else _STREAM_TOO_LARGE
        self._settle(self._invocation, failure)
        reply(ACCEPTED)

    def broken(self) -> None:
        """Settle it as cut off."""
        self._settle(self._invocation, _TRUNCATED)


def answer_head(headers: Mapping[str, str], *, streaming: bool) -> AnswerHead:
    """Return what the head of a POST /response tells of the answer."""
    return AnswerHead(streaming=streaming, content_type=headers.get("content-type", ""))


_TRUNCATED = FunctionFailure(
    "Runtime.TruncatedResponse", "the runtime's answer ended before its last chunk"
)
_STREAM_TOO_LARGE = FunctionFailure(
    "Function.ResponseSizeTooLarge",
    f"Exceeded maximum allowed streamed payload size ({MAX_STREAMED_RESPONSE_BYTES} bytes).",
)
_TOO_LARGE = FunctionFailure(
    "RequestEntityTooLarge",
    f"Exceeded maximum allowed payload size ({MAX_BUFFERED_RESPONSE_BYTES} bytes).",
)
