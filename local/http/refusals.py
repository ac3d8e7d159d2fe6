"""What is refused before a function sees it, and the lines of the console that say how to mend it.

No line holds a key or a signature.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from local.clock import Clock
from local.limits import MAX_REFUSAL_LINES, REFUSAL_WINDOW_S


class RefusedError(Exception):
    """A request that is refused; `str(error)` says what is wrong and what to do."""

    def __init__(self, what: str, status: int = HTTPStatus.FORBIDDEN) -> None:
        super().__init__(what)
        self.status = status


class RefusalLog:
    """Writes a line for each refusal; equal ones within some seconds, and a flood, are counted."""

    def __init__(self, write: Callable[[str], None], clock: Clock | None = None) -> None:
        self._write = write
        self._clock = clock or Clock()
        self._shown: set[str] = set()
        self._counted = 0

    def note(self, place: str, status: int, what: str) -> None:
        """Write that `place` refused a request with `status`; `what` says why and what to do."""
        line = f"refused | {place}, {status}: {what}"
        if line in self._shown or len(self._shown) >= MAX_REFUSAL_LINES:
            self._counted += 1
            return
        if not self._shown:
            self._clock.call_later(REFUSAL_WINDOW_S, self._begin_again)
        self._shown.add(line)
        self._write(line)

    def _begin_again(self) -> None:
        self._shown.clear()
        counted, self._counted = self._counted, 0
        if counted:
            self._write(f"refused | {counted} more in the last {REFUSAL_WINDOW_S:.0f} seconds")
