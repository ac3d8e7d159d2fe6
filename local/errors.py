"""Errors of the local stack.

LocalStackError
  ConfigurationError          serverless.yml, .env, a variable or an option is invalid
    UnresolvedVariableError   an expression of serverless.yml has no value
  FunctionStartFailedError    a function ended before it requested its first event
PreludeError                  a streamed answer does not begin as its content type says
"""

from __future__ import annotations

import errno
from dataclasses import dataclass

INVALID_ENTRYPOINT = "Runtime.InvalidEntrypoint"
OUT_OF_RESOURCES = "Sandbox.OutOfResources"
"""Error types of a function's process that could not be started: no command, no descriptors."""

_RESOURCE_ERRORS = {errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM, errno.ENOBUFS}


class LocalStackError(Exception):
    """Base of the errors that end the local stack; `str(error)` is a message for the console."""


class ConfigurationError(LocalStackError):
    """A setting is invalid; the message names it and what was expected."""


class UnresolvedVariableError(ConfigurationError):
    """An expression of serverless.yml has no value."""

    def __init__(self, expression: str, place: str, reason: str) -> None:
        super().__init__(
            f"serverless.yml: cannot resolve {expression} at {place}: {reason}. "
            "Set the value or add a fallback."
        )


@dataclass(frozen=True, slots=True)
class FunctionFailure:
    """Why an invocation failed: a type and a message, as Lambda reports them."""

    error_type: str
    error_message: str


class FunctionStartFailedError(LocalStackError):
    """A function ended, or reported an error, before it requested its first event."""

    def __init__(self, function: str, failure: FunctionFailure) -> None:
        super().__init__(
            f"Function {function} could not start: {failure.error_type}: {failure.error_message}"
        )
        self.function = function
        self.failure = failure

    def is_about_a_setting(self) -> bool:
        """Return whether the message names a setting; then a traceback adds nothing."""
        return self.failure.error_type == "SettingsError"


def missing_resource(error: BaseException | None) -> str:
    """Return what the machine lacks, and what to do, if that is the error; else ""."""
    if not isinstance(error, OSError) or error.errno not in _RESOURCE_ERRORS:
        return ""
    return f"{error.strerror}. Raise the limit (ulimit -n 4096), or lower --concurrency."


class PreludeError(ValueError):
    """A streamed answer does not begin with JSON metadata and eight NULs."""
