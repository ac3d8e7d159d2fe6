"""One JSON line in the function's log for each request: figures and names, never what was said."""

from __future__ import annotations

import json
import time

from sluice.errors import NoMatch, RequestError, SluiceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any

OK = "ok"


class RequestLog:
    """Gathers the figures of one request and prints them when the block ends.

    An exception that leaves the block is named by its code, and passes on. Times are in ms.
    """

    def __init__(
        self,
        request_id: str,
        transport: str,
        clock: Callable[[], float] = time.monotonic,
        write: Callable[[str], object] = print,
    ) -> None:
        self._clock = clock
        self._write = write
        self._began = clock()
        self._fields: dict[str, Any] = {
            "request_id": request_id,
            "transport": transport,
            "outcome": OK,
        }

    def note(self, **fields: Any) -> None:
        """Record figures and names. Never a prompt, an answer, or a secret."""
        self._fields.update(fields)

    def first_byte(self) -> None:
        """The client gets its first byte now; later calls do not count."""
        self._fields.setdefault("first_byte_ms", self._elapsed_ms())

    def first_frame(self) -> None:
        """API Gateway has taken the first frame now; later calls do not count."""
        self._fields.setdefault("first_frame_ms", self._elapsed_ms())

    def conversation(self, messages: object, answer: str) -> None:
        """Record what was said: for LOG_CHAT=true alone."""
        self._fields.update(messages=messages, answer=answer)

    def failed(self, error: BaseException) -> None:
        """Record what went wrong; what goes wrong after it does not count."""
        if self._fields["outcome"] != OK:
            return
        self._fields["outcome"] = error.code if isinstance(error, SluiceError) else "internal_error"
        if isinstance(error, SluiceError) and not isinstance(error, NoMatch):
            self._fields["detail"] = error.message  # NoMatch quotes the answer; no other does
        root = _root_cause(error)
        is_the_clients = isinstance(
            error, RequestError
        )  # what came of it in here says nothing more
        if not is_the_clients and (root is not error or not isinstance(error, SluiceError)):
            self._fields["cause"] = type(root).__name__  # by name: its text may quote anything

    def __enter__(self) -> RequestLog:  # noqa: PYI034 -- `typing` is kept out of small functions
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self.failed(error)
        self._fields["total_ms"] = self._elapsed_ms()
        self._write(json.dumps(self._fields))

    def _elapsed_ms(self) -> float:
        return round((self._clock() - self._began) * 1000, 1)


def _root_cause(error: BaseException) -> BaseException:
    """The first of the exceptions that led to this one, such as ConnectionRefusedError."""
    while (cause := error.__cause__ or _context(error)) is not None:
        error = cause
    return error


def _context(error: BaseException) -> BaseException | None:
    return None if error.__suppress_context__ else error.__context__
