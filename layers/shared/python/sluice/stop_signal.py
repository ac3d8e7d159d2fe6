"""Stops one answer, from any thread."""

from __future__ import annotations

import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.errors import SluiceError


class StopSignal:
    """Passes the first reason to stop one answer to each listener, once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._listeners: list[Callable[[SluiceError], None]] = []
        self.reason: SluiceError | None = None

    def stop(self, reason: SluiceError) -> None:
        """Stop the answer. From any thread, but not from a listener."""
        with self._lock:
            if self.reason is not None:
                return
            self.reason = reason
            self._stopped.set()
            for listener in self._listeners:
                listener(reason)

    def wait(self, seconds: float) -> None:
        """Wait. Raises the reason as soon as there is one."""
        self._stopped.wait(seconds)
        if self.reason is not None:
            raise self.reason

    def listen(self, listener: Callable[[SluiceError], None]) -> None:
        """Call `listener` with the reason; at once if there is one already."""
        with self._lock:
            self._listeners.append(listener)
            if self.reason is not None:
                listener(self.reason)

    def forget(self, listener: Callable[[SluiceError], None]) -> None:
        """Stop calling `listener`. Waits for a call in progress."""
        with self._lock:
            self._listeners.remove(listener)
