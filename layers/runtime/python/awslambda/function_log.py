"""The function's `logging`, set up as AWS's own client does.

The root logger writes to standard output: `[LEVEL]<tab>timestamp<tab>request id<tab>message`, or,
with AWS_LAMBDA_LOG_FORMAT=JSON, one object per line.
https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html

`logging` takes 12 ms to import, so the runtime sets it up only when the function imports it.
"""

from __future__ import annotations

import sys

from awslambda.runtime_log import error_fields, timestamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

    from awslambda.runtime_log import RuntimeLog


TEXT_FORMAT = "[%(levelname)s]\t%(asctime)s\t%(aws_request_id)s\t%(message)s"
LEVELS = {"TRACE": "DEBUG", "FATAL": "CRITICAL"}  # Lambda's names that `logging` does not know


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

    class TextFormatter(logging.Formatter):
        def formatTime(self, record: logging.LogRecord, _format: str | None = None) -> str:  # noqa: N802 -- logging's name
            return timestamp(record.created)

    class JsonFormatter(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            return _json_line(log, record)

    def add_request_id(record: logging.LogRecord) -> bool:
        """As AWS's client does: the function's own formatters may use it."""
        record.aws_request_id = log.request_id
        return True

    handler = logging.StreamHandler(sys.stdout)
    handler.addFilter(add_request_id)
    handler.setFormatter(JsonFormatter() if log.is_json else TextFormatter(TEXT_FORMAT))
    root = logging.getLogger()
    root.addHandler(handler)
    level = LEVELS.get(log.level, log.level)
    if level in logging.getLevelNamesMapping():
        root.setLevel(level)


def _json_line(log: RuntimeLog, record: logging.LogRecord) -> str:
    fields: dict[str, Any] = {"logger": record.name}
    if record.stack_info:
        fields["stackInfo"] = record.stack_info
    if record.exc_info and record.exc_info[1] is not None:
        fields.update(error_fields(record.exc_info[1]))
    own = vars(record)
    fields.update({name: own[name] for name in own.keys() - _STANDARD_ATTRIBUTES})
    line = log.line(record.created, record.levelname, record.getMessage(), fields)
    return line.removesuffix("\n")


# fmt: off
_STANDARD_ATTRIBUTES = frozenset(
    (
        "aws_request_id",
        "args", "asctime", "created", "exc_info", "exc_text", "filename", "funcName", "levelname",
        "levelno", "lineno", "message", "module", "msecs", "msg", "name", "pathname", "process",
        "processName", "relativeCreated", "stack_info", "taskName", "thread", "threadName",
    )
)
# fmt: on
"""Attributes of every record; all others come from `extra=`.
https://docs.python.org/3/library/logging.html#logrecord-attributes"""
