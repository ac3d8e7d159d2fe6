"""The function's `logging`, set up as AWS's own client does.

The root logger writes `[LEVEL]<tab>timestamp<tab>request id<tab>message`, or, with
AWS_LAMBDA_LOG_FORMAT=JSON, objects. Each message is one log event, see `output`.
https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html

`logging` takes 12 ms to import, so the runtime sets it up only when the function imports it.
"""

from __future__ import annotations

import sys
import time

from awslambda.errors import message_of
from awslambda.runtime_log import json_line, timestamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

    from awslambda.runtime_log import RuntimeLog


TEXT_FORMAT = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n"
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S"
LEVELS = {"TRACE": "DEBUG"}  # Lambda's name that `logging` does not know


def set_up_when_imported(log: RuntimeLog) -> None:
    """Set `logging` up now if it is imported already, else at its first import."""
    if "logging" in sys.modules:
        _set_up(log)
    else:
        sys.meta_path.insert(0, _ImportWatch(log))


class _ImportWatch:
    """A finder (PEP 302) that only waits for the import of `logging`."""

    def __init__(self, log: RuntimeLog) -> None:
        self._log = log

    def find_spec(
        self,
        name: str,
        _path: Sequence[str] | None = None,
        _target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if name != "logging":
            return None
        from importlib.machinery import PathFinder  # noqa: PLC0415 -- only this case needs it

        spec = PathFinder.find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                self._is_imported()

            spec.loader.exec_module = exec_module  # type: ignore[method-assign] # for this import
        return spec

    def _is_imported(self) -> None:
        if self in sys.meta_path:  # find_spec may have run more than once
            sys.meta_path.remove(self)
            _set_up(self._log)


def _set_up(log: RuntimeLog) -> None:
    import logging  # noqa: PLC0415 -- the function has already imported it

    if not hasattr(logging, "StreamHandler"):
        return  # the function's own package of that name

    class JsonFormatter(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            return json_line(_fields(record)) + "\n"

    class LambdaLoggerHandler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            try:
                is_json = isinstance(self.formatter, JsonFormatter)
                log.send(self.format(record), has_levels and record.levelno, is_json=is_json)
            except Exception:  # noqa: BLE001 -- the function's own formatter may raise anything
                self.handleError(record)

    def add_invocation(record: logging.LogRecord) -> bool:
        """As AWS's client does: the function's own formatters may use it."""
        record.aws_request_id = log.request_id
        record.tenant_id = log.tenant_id
        return True

    has_levels = log.is_json or bool(log.level)
    logging.Formatter.converter = time.gmtime
    handler = LambdaLoggerHandler()
    handler.addFilter(add_invocation)
    handler.setFormatter(
        JsonFormatter() if log.is_json else logging.Formatter(TEXT_FORMAT, TIME_FORMAT)
    )
    root = logging.getLogger()
    root.addHandler(handler)
    level = LEVELS.get(log.level, log.level)
    if level in logging.getLevelNamesMapping():
        root.setLevel(level)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """The fields of a record in JSON, named and ordered as AWS's client does."""
    import logging  # noqa: PLC0415 -- the function has already imported it
    import traceback  # noqa: PLC0415 -- logging has imported it

    own = vars(record)
    has_fields = isinstance(record.msg, dict) and not record.args
    kind, error, trace = record.exc_info or (None, None, None)
    fields = {
        "timestamp": timestamp(record.created),
        "level": logging.getLevelName(min(logging.CRITICAL, max(0, record.levelno)) // 10 * 10),
        "message": record.msg if has_fields else record.getMessage(),
        "logger": record.name,
        "stackTrace": traceback.format_tb(trace) if error else None,
        "errorType": kind.__name__ if kind else None,
        "errorMessage": message_of(error) if error else None,
        "requestId": own.get("aws_request_id"),
        "location": f"{record.pathname}:{record.funcName}:{record.lineno}" if error else None,
        "tenantId": own.get("tenant_id"),
        "stackInfo": record.stack_info,
    }
    known = _STANDARD_ATTRIBUTES | fields.keys()
    fields |= {name: value for name, value in own.items() if name not in known}
    return {name: value for name, value in fields.items() if value is not None}


# fmt: off
_STANDARD_ATTRIBUTES = frozenset(
    (
        "aws_request_id", "tenant_id",
        "args", "created", "exc_info", "exc_text", "filename", "funcName", "levelname",
        "levelno", "lineno", "module", "msecs", "msg", "name", "pathname", "process",
        "processName", "relativeCreated", "stack_info", "thread", "threadName",
    )
)
# fmt: on
"""Attributes that are not the function's own; the others come from `extra=`, `taskName` from
asyncio. https://docs.python.org/3/library/logging.html#logrecord-attributes"""
