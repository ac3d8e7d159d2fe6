"""The output of a starting function, held back for a moment.

An invalid setting stops every function at once, each with the same traceback; only one is shown.
"""

from __future__ import annotations

from collections.abc import Callable

from local.clock import Clock, Timer
from local.limits import START_LOG_HOLD_S


class StartLog:
    """Passes lines on to `log`: delayed at first, at once after `release`, never after `mute`."""

    def __init__(self, log: Callable[[str], None], clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._held: list[str] = []
        self._timer: Timer | None = None
        self._late = True
        self._muted = False

    def line(self, text: str) -> None:
        self._held.append(text)
        if not self._late:
            self._flush()
        elif self._timer is None:
            # The output of a slow start is worth watching.
            self._timer = self._clock.call_later(START_LOG_HOLD_S, self._flush)

    def release(self) -> None:
        """Pass on the held lines, and each further line at once."""
        self._late = False
        self._flush()

    def mute(self) -> None:
        """Drop the held lines and each further line."""
        self._muted = True
        self.release()

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        held, self._held = self._held, []
        for text in held:
            if not self._muted:
                self._log(text)
