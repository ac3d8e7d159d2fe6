"""What the runtime itself writes to the function's log, as text or as JSON.

https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html
"""

from __future__ import annotations

import json
import sys
import time

from awslambda.errors import error_type, message_of, stack_trace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TextIO

FORMAT_VARIABLE = "AWS_LAMBDA_LOG_FORMAT"
LEVEL_VARIABLE = "AWS_LAMBDA_LOG_LEVEL"


class RuntimeLog:
    """Knows the log's format and the current invocation.

    `request_id` is empty between invocations. The invoke loop sets it; the function's own logging
    (function_log) reads it.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        out: TextIO | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.is_json = environ.get(FORMAT_VARIABLE, "").upper() == "JSON"
        self.level = environ.get(LEVEL_VARIABLE, "").upper() if self.is_json else ""
        self.request_id = ""
        self._out = out or sys.stdout  # as it is now: a handler may replace or close it
        self._clock = clock

    def failure(self, error: BaseException) -> None:
        """Log an exception that left the handler."""
        if self.is_json:
            self._object("ERROR", message_of(error), **error_fields(error))
        else:
            frames = stack_trace(error)
            trace = "Traceback (most recent call last):\n" + "".join(frames) if frames else ""
            self._write(f"[ERROR] {error_type(error)}: {message_of(error)}\n{trace}")

    def warning(self, message: str) -> None:
        """Log what the operator should know and the handler cannot."""
        if self.is_json:
            self._object("WARNING", message)
        else:
            self._write(f"[WARNING] {message}\n")

    def _object(self, level: str, message: str, **fields: Any) -> None:
        self._write(self.line(self._clock(), level, message, fields))

    def line(self, seconds: float, level: str, message: str, fields: Mapping[str, Any]) -> str:
        """One JSON object and a newline; values that JSON cannot encode become text."""
        document = {"timestamp": timestamp(seconds), "level": level, "message": message, **fields}
        if self.request_id:
            document["requestId"] = self.request_id
        return json.dumps(document, ensure_ascii=False, default=str) + "\n"

    def _write(self, text: str) -> None:
        """Write a line in one piece: one log event. Flush: Lambda may freeze the process."""
        try:
            self._out.write(text)
            self._out.flush()
        except (OSError, ValueError):
            return  # closed: losing a line is better than losing the process


def error_fields(error: BaseException) -> dict[str, Any]:
    """The fields of an exception in a JSON log line."""
    return {
        "errorType": error_type(error),
        "errorMessage": message_of(error),
        "stackTrace": stack_trace(error),
    }


def timestamp(seconds: float) -> str:
    """RFC 3339, UTC, with milliseconds."""
    milliseconds = int(seconds * 1000)
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(milliseconds // 1000))
    return f"{whole}.{milliseconds % 1000:03d}Z"
