"""Errors of the local stack.

LocalStackError
  ConfigurationError          serverless.yml, .env or an environment variable is not usable
    UnresolvedVariableError   an expression of serverless.yml has no value
  SamePortError               both ports of the command line are one
  PortInUseError              another program listens there
  FunctionStartFailedError    a function's first start ended before it asked for an event
PreludeError                  a streamed answer does not begin as its content type says
"""

from __future__ import annotations

from dataclasses import dataclass


class LocalStackError(Exception):
    """Root of what ends the local stack; `str(error)` is a sentence for the console."""


class ConfigurationError(LocalStackError):
    """A setting cannot be used; the sentence names it and what was expected."""


class UnresolvedVariableError(ConfigurationError):
    """An expression of serverless.yml that has no value here."""

    def __init__(self, expression: str, place: str, reason: str) -> None:
        super().__init__(
            f"cannot resolve {expression} at {place} in serverless.yml: {reason}; "
            "give it a value or a fallback"
        )
        self.expression = expression
        self.place = place


class SamePortError(LocalStackError):
    """The command line gives the Function URL and the WebSocket API one port."""

    def __init__(self, port: int) -> None:
        super().__init__(
            f"--http-port and --ws-port are both {port}: expected two ports, or 0 for free ones"
        )
        self.port = port


class PortInUseError(LocalStackError):
    """A port asked for on the command line is taken."""

    def __init__(self, host: str, port: int, option: str) -> None:
        super().__init__(
            f"port {port} on {host} is in use by another program; "
            f"end it or choose another port with {option}"
        )
        self.host = host
        self.port = port


@dataclass(frozen=True, slots=True)
class FunctionFailure:
    """Why an invocation failed, as Lambda tells it: a type and a message."""

    error_type: str
    error_message: str


class FunctionStartFailedError(LocalStackError):
    """A function ended or reported an error before it asked for its first event."""

    def __init__(self, function: str, failure: FunctionFailure) -> None:
        super().__init__(
            f"function {function} could not start: {failure.error_type}: {failure.error_message}"
        )
        self.function = function
        self.failure = failure

    def is_of_a_setting(self) -> bool:
        """Return whether the message names a variable, beside which a traceback says nothing."""
        return self.failure.error_type == "SettingsError"


class PreludeError(ValueError):
    """A streamed answer does not begin with JSON metadata and eight NULs."""
