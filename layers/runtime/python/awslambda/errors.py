"""The runtime's errors, and how Lambda receives an exception.

AwsLambdaError
├── InvalidStreamingOperation   a call that comes too late for its stream
│   └── WriteAfterEnd
├── ResponseStreamBroken        Lambda accepts no more of this answer
├── HandlerLoadError            the function cannot start (names and texts of AWS's client)
├── ValidationError             what comes in or goes out breaks its format
│   ├── UnmarshalError          the event is not JSON
│   ├── ContextUnmarshalError   the client context or the Cognito identity is not JSON
│   └── MarshalError            the handler's result cannot be encoded as JSON
└── RuntimeApiError             the Runtime API broke its specification
"""

from __future__ import annotations

import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from traceback import FrameSummary
    from typing import Any

MAX_XRAY_CAUSE_BYTES = 64 * 1024
"""Maximum size of X-Ray's error cause, in bytes: Lambda cuts longer ones, which breaks the JSON."""
VALIDATION = "LambdaValidationError"
"""X-Ray's name of every ValidationError, from AWS's client."""
NOT_IN_A_HEADER = dict.fromkeys([*range(32), 127])
"""Control characters, CR and LF among them: RFC 9110 section 5.5."""


class AwsLambdaError(Exception):
    """Base of this package's errors; Lambda receives `error_type` as the error's name."""

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
    """Lambda has closed the connection that carries this answer.

    Nobody receives further writes: stop writing and return.
    """

    error_type = "Runtime.ResponseStreamBroken"


class HandlerLoadError(AwsLambdaError):
    """The function's handler cannot be loaded.

    `error_type` is one of the stock names: Runtime.MalformedHandlerName, Runtime.ImportModuleError,
    Runtime.UserCodeSyntaxError, Runtime.HandlerNotFound, Runtime.BuiltInModuleConflict.
    """

    def __init__(self, error_type: str, message: str, trace: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.trace = trace  # of source that could not be compiled


class ValidationError(AwsLambdaError):
    """What comes in or goes out breaks its format; X-Ray has one name for all of these."""


class UnmarshalError(ValidationError):
    """The event is not JSON."""

    error_type = "Runtime.UnmarshalError"


class ContextUnmarshalError(ValidationError):
    """The client context or the Cognito identity is not JSON."""

    error_type = "Runtime.LambdaContextUnmarshalError"


class MarshalError(ValidationError):
    """The handler's result cannot be encoded as JSON."""

    error_type = "Runtime.MarshalError"


class RuntimeApiError(AwsLambdaError):
    """The Runtime API sent a reply that its specification does not allow."""

    error_type = "Runtime.RuntimeApiError"


def error_type(error: BaseException) -> str:
    """The error's name for Lambda, safe in a header: the class name unless it has its own."""
    name = error.error_type if isinstance(error, AwsLambdaError) else type(error).__name__
    return name.translate(NOT_IN_A_HEADER).encode("ascii", "replace").decode()


def message_of(error: BaseException) -> str:
    """An exception's text. Its `__str__` may be the function's own code and may raise."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 -- it must not hide the error itself
        return "(no message: __str__ raised)"


def stack_trace(error: BaseException) -> list[str]:
    """One string per frame, innermost last, without the runtime's own frames."""
    import traceback  # noqa: PLC0415 -- takes 9 ms; only failures need it

    if isinstance(error, HandlerLoadError):
        return list(error.trace)
    # Tuples have no columns: AWS's client does not mark the failing part of a line.
    frames = [(f.filename, f.lineno or 0, f.name, f.line) for f in _frames(error)]
    return traceback.format_list(frames)


def _frames(error: BaseException) -> list[FrameSummary]:
    import traceback  # noqa: PLC0415

    own = os.path.dirname(__file__) + os.sep  # noqa: PTH120 -- pathlib is slow to import
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
    """The content of a streamed answer's error trailer, with Node.js's field names."""
    document: dict[str, Any] = {
        "errorType": error_type(error),
        "errorMessage": message_of(error),
        "trace": stack_trace(error),
    }
    return json.dumps(document).encode()


def xray_cause(error: BaseException, working_directory: str) -> str:
    """The error's cause for X-Ray, as JSON for a header; empty if it is too long.

    https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html#api-segmentdocuments-errors
    """
    frames = _frames(error)
    cause = {
        "working_directory": working_directory,
        "exceptions": [
            {
                "type": VALIDATION if isinstance(error, ValidationError) else error_type(error),
                "message": message_of(error),
                "stack": [{"path": f.filename, "line": f.lineno, "label": f.name} for f in frames],
            }
        ],
        "paths": sorted({frame.filename for frame in frames}),
    }
    text = json.dumps(cause)
    return text if len(text) <= MAX_XRAY_CAUSE_BYTES else ""
