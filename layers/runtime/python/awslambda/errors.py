"""What can go wrong in the runtime, and how an exception is told to Lambda.

AwsLambdaError
├── InvalidStreamingOperation   a call that comes too late for its stream
│   └── WriteAfterEnd
├── ResponseStreamBroken        Lambda takes no more of this answer
├── HandlerLoadError            the function cannot start (names and texts as AWS's client has them)
├── UnmarshalError              the event is not JSON
├── MarshalError                the handler returned what is not JSON
└── RuntimeApiError             Lambda's side of the Runtime API did not keep to it
"""

from __future__ import annotations

import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from traceback import FrameSummary
    from typing import Any

MAX_XRAY_CAUSE_BYTES = 64 * 1024  # Lambda crops it there, which would leave no JSON
NOT_IN_A_HEADER = dict.fromkeys([*range(32), 127])  # RFC 9110 section 5.5: controls, CR and LF


class AwsLambdaError(Exception):
    """The root of this package's errors; `error_type` is what Lambda is told."""

    error_type = "Runtime.AwsLambdaError"


class InvalidStreamingOperation(AwsLambdaError):
    """A call that changes how an answer begins, after it has begun."""

    error_type = "Runtime.InvalidStreamingOperation"


class WriteAfterEnd(InvalidStreamingOperation):
    """`write(…)` or `end(…)` with data on a stream that has ended."""

    error_type = "Runtime.WriteAfterEnd"

    def __init__(self) -> None:
        super().__init__("the response stream has ended: write everything before end()")


class ResponseStreamBroken(AwsLambdaError):
    """Lambda has closed the connection on which the answer was being sent.

    Nobody receives what is written from here on. Stop producing it and return.
    """

    error_type = "Runtime.ResponseStreamBroken"


class HandlerLoadError(AwsLambdaError):
    """The handler cannot be had from the function's code.

    `error_type` is one of the stock names: Runtime.MalformedHandlerName, Runtime.ImportModuleError,
    Runtime.UserCodeSyntaxError, Runtime.HandlerNotFound, Runtime.BuiltInModuleConflict.
    """

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type


class UnmarshalError(AwsLambdaError):
    """The event is not JSON."""

    error_type = "Runtime.UnmarshalError"


class MarshalError(AwsLambdaError):
    """The handler's answer cannot be written as JSON."""

    error_type = "Runtime.MarshalError"


class RuntimeApiError(AwsLambdaError):
    """The Runtime API answered something that its specification does not hold."""

    error_type = "Runtime.RuntimeApiError"


def error_type(error: BaseException) -> str:
    """Lambda's name for an error, fit for a header: the class's name unless it has its own."""
    name = error.error_type if isinstance(error, AwsLambdaError) else type(error).__name__
    return name.translate(NOT_IN_A_HEADER).encode("ascii", "replace").decode()


def message_of(error: BaseException) -> str:
    """An exception's text, for whose making the function's author may have written code."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 -- it must not hide the error that it should tell
        return "(its text cannot be had: __str__ raised)"


def stack_trace(error: BaseException) -> list[str]:
    """One text a frame, innermost last, without the runtime's own frames."""
    import traceback  # noqa: PLC0415 -- 9 ms that only failures pay

    return traceback.format_list(_frames(error))


def _frames(error: BaseException) -> list[FrameSummary]:
    import traceback  # noqa: PLC0415

    own = os.path.dirname(__file__) + os.sep  # noqa: PTH120 -- pathlib costs start-up time
    frames = traceback.extract_tb(error.__traceback__)
    return [frame for frame in frames if not frame.filename.startswith(own)]


def error_document(error: BaseException, request_id: str = "") -> bytes:
    """The body of POST …/error, as AWS's Python client writes it."""
    document: dict[str, Any] = {
        "errorMessage": message_of(error),
        "errorType": error_type(error),
        "requestId": request_id,
        "stackTrace": stack_trace(error),
    }
    return json.dumps(document).encode()


def trailer_document(error: BaseException) -> bytes:
    """What the error trailer of a streamed answer holds, with Node.js's field names."""
    document: dict[str, Any] = {
        "errorType": error_type(error),
        "errorMessage": message_of(error),
        "trace": stack_trace(error),
    }
    return json.dumps(document).encode()


def xray_cause(error: BaseException, working_directory: str) -> str:
    """The cause of an error for X-Ray, as the JSON of a header; empty where it would be too long.

    https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html#api-segmentdocuments-errors
    """
    frames = _frames(error)
    cause = {
        "working_directory": working_directory,
        "exceptions": [
            {
                "type": error_type(error),
                "message": message_of(error),
                "stack": [{"path": f.filename, "line": f.lineno, "label": f.name} for f in frames],
            }
        ],
        "paths": sorted({frame.filename for frame in frames}),
    }
    text = json.dumps(cause)
    return text if len(text) <= MAX_XRAY_CAUSE_BYTES else ""
