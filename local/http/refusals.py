"""What is refused before a function sees it, and the lines of the console that say how to mend it.

No line holds a key or a signature.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from local.clock import Clock
from local.console import BoundedLog


class RefusedError(Exception):
    """A request that is refused; `str(error)` says what is wrong and what to do."""

    def __init__(self, what: str, status: int = HTTPStatus.FORBIDDEN) -> None:
        super().__init__(what)
        self.status = status


class RefusalLog:
    """Writes a line for each refusal; a flood of them is bounded."""

    def __init__(self, write: Callable[[str], None], clock: Clock | None = None) -> None:
        self._log = BoundedLog("refused", write, clock)

    def note(self, place: str, status: int, what: str) -> None:
        """Write that `place` refused a request with `status`; `what` says why and what to do."""
        self._log.line(f"{place}, {status}: {what}")
