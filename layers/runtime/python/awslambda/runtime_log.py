"""What the runtime itself writes to the function's log, as text or as JSON.

https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html
"""

from __future__ import annotations

import json
import time

from awslambda.errors import error_type, message_of, stack_trace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Protocol

    class Output(Protocol):
        """Takes messages, of one or several lines; see `output`."""

        def send(self, message: str, level: int = 0, *, is_json: bool = False) -> None: ...


FORMAT_VARIABLE = "AWS_LAMBDA_LOG_FORMAT"
LEVEL_VARIABLE = "AWS_LAMBDA_LOG_LEVEL"
WARNING, ERROR = 30, 40  # the numbers of `logging`, which is slow to import
NO_BREAK_SPACE = "\u00a0"


class RuntimeLog:
    """Knows the log's format and the current invocation.

    `request_id` is empty between invocations. The invoke loop sets it and `tenant_id`; the
    function's own logging (function_log) reads them.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        output: Output,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.is_json = environ.get(FORMAT_VARIABLE, "").upper() == "JSON"
        self.level = environ.get(LEVEL_VARIABLE, "").upper()
        self.request_id = ""
        self.tenant_id: str | None = None
        self.send = output.send
        self._clock = clock

    def failure(self, error: BaseException) -> None:
        """Log an exception that left the handler, as AWS's client does."""
        if self.is_json:
            self._object(
                "ERROR",
                errorMessage=message_of(error),
                errorType=error_type(error),
                requestId=self.request_id,
                stackTrace=stack_trace(error),
            )
        else:
            lines = [f"[ERROR] {_headline(error)}", "Traceback (most recent call last):"]
            for frame in stack_trace(error):
                lines += map(_indented, frame.splitlines())
            self.send("\n".join(lines), ERROR)

    def warning(self, message: str) -> None:
        """Log what the operator should know and the handler cannot."""
        if self.is_json:
            request = {"requestId": self.request_id} if self.request_id else {}
            self._object("WARNING", message=message, **request)
        else:
            self.send(f"[WARNING] {message}", WARNING)

    def _object(self, level: str, **fields: Any) -> None:
        line = json_line({"timestamp": timestamp(self._clock()), "level": level, **fields})
        self.send(line, ERROR if level == "ERROR" else WARNING, is_json=True)


def _headline(error: BaseException) -> str:
    message = message_of(error)
    return f"{error_type(error)}: {message}" if message else error_type(error)


def _indented(line: str) -> str:
    """CloudWatch's console would drop leading blanks."""
    text = line.lstrip(" ")
    return NO_BREAK_SPACE * (len(line) - len(text)) + text


def json_line(document: Mapping[str, Any]) -> str:
    """One JSON object; values that JSON cannot encode become text."""
    return json.dumps(document, ensure_ascii=False, default=str)


def timestamp(seconds: float) -> str:
    """RFC 3339, UTC, with milliseconds."""
    milliseconds = int(seconds * 1000)
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(milliseconds // 1000))
    return f"{whole}.{milliseconds % 1000:03d}Z"
