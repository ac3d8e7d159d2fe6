"""One JSON line in the function's log per request: figures and names, never what was said."""

from __future__ import annotations

import json
import sys
import time

from sluice.errors import NoMatch, RequestError, SluiceError
from sluice.trace import UNTRACED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from sluice.trace import Trace

OK = "ok"


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")  # in one piece: `print` would write the line end apart


class RequestLog:
    """Collects the figures of one request and prints them at the end of its block.

    An exception that leaves the block is logged by its code, and propagates. Times are in ms.
    trace: what happened when; it gets these figures too.
    """

    def __init__(
        self,
        request_id: str,
        transport: str,
        clock: Callable[[], float] = time.monotonic,
        write: Callable[[str], object] = _print,
        trace: Trace = UNTRACED,
        source_ip: str = "",
    ) -> None:
        self.trace = trace
        self.source_ip = source_ip
        """The client's address, for the chat log."""
        self._clock = clock
        self._write = write
        self._began = clock()
        self._fields: dict[str, Any] = {
            "request_id": request_id,
            "transport": transport,
            "outcome": OK,
        }
        if trace.id:
            self._fields["trace_id"] = trace.id
        self._lines: Callable[[dict[str, Any]], list[str]] | None = None
        self._settle: Callable[[BaseException | None], None] | None = None
        self.failure: BaseException | None = None
        """The first error."""

    def note(self, **fields: Any) -> None:
        """Record figures and names. Never a prompt, an answer, or a secret."""
        self._fields.update(fields)

    def first_byte(self) -> None:
        """Record the time of the client's first byte; only the first call counts."""
        self._fields.setdefault("first_byte_ms", self._elapsed_ms())

    def first_frame(self) -> None:
        """Record when API Gateway took the first frame; only the first call counts."""
        self._fields.setdefault("first_frame_ms", self._elapsed_ms())

    def with_conversation(self, lines: Callable[[dict[str, Any]], list[str]]) -> None:
        """Print what `lines` makes of the fields, and of what was said. Only for LOG_CHAT=true."""
        self._lines = lines

    def settle_by(self, settle: Callable[[BaseException | None], None]) -> None:
        """Call `settle` with the first error at the block's end: the client has its last byte."""
        self._settle = settle

    def failed(self, error: BaseException) -> None:
        """Record an error; only the first one counts."""
        if self.failure is not None:
            return
        self.failure = error
        self._fields["outcome"] = error.code if isinstance(error, SluiceError) else "internal_error"
        if isinstance(error, SluiceError) and not isinstance(error, NoMatch):
            self._fields["detail"] = error.message  # only NoMatch quotes the answer
        root = _root_cause(error)
        if isinstance(error, RequestError):
            return  # the client's mistake: its cause in here says nothing more
        if root is not error or not isinstance(error, SluiceError):
            self._fields["cause"] = type(root).__name__  # by name: its text may quote anything

    def __enter__(self) -> RequestLog:  # noqa: PYI034 -- `typing` is kept out of small functions
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is not None:
            self.failed(error)
        try:
            if self._settle is not None:
                self._settle(self.failure)
        finally:
            self._fields["total_ms"] = self._elapsed_ms()
            for line in self._written():
                self._write(line)
            self.trace.close(self._fields, self.failure)

    def _written(self) -> list[str]:
        if self._lines is not None:
            try:
                return self._lines(self._fields)
            except Exception as error:  # noqa: BLE001 -- never lose the line of a request over it
                self._fields["chat_log"] = type(error).__name__
        return [json.dumps(self._fields)]

    def _elapsed_ms(self) -> float:
        return round((self._clock() - self._began) * 1000, 1)


def _root_cause(error: BaseException) -> BaseException:
    """The first exception that led to this one, such as ConnectionRefusedError."""
    while (cause := error.__cause__ or _context(error)) is not None:
        error = cause
    return error


def _context(error: BaseException) -> BaseException | None:
    return None if error.__suppress_context__ else error.__context__
